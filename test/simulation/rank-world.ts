/** One rank's native world: what runner/engine calls, answered as native/world/control_thread.cc answers it. */
import type { ErrorCode } from '../../runner/errors.js';
import type { NativeWorld, RankLiveness, WorldInfo } from '../../runner/native/types/index.js';
import { numberAt } from '../../runner/values/items.js';
import type { Call, CallKind, Rounds } from './control-plane.js';
import { carriedStage, type Heartbeats, type Listener, type Place } from './heartbeats.js';
import { RunControl } from './run-control.js';
import type { SimulatedProcess } from './rank-context.js';
import { Worker } from './worker.js';

export function nativeError(code: ErrorCode, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What all ranks of a world share. */
export interface Shared {
  readonly rounds: Rounds;
  readonly heartbeats: Heartbeats;
  readonly ranks: readonly RankWorld[];
  violate(what: string): void;
}

export class RankWorld implements NativeWorld, Listener {
  readonly info: WorldInfo;
  readonly process: SimulatedProcess;
  readonly control = new RunControl();
  readonly worker: Worker;
  /** What the engine asked for, in order: compared with what the C++ model of the engine asks for. */
  readonly calls: string[] = [];
  epoch = 1;
  readonly #shared: Shared;
  /** By epoch: the rank that came to no further exchange of it. */
  readonly #failed = new Map<number, number>();
  #queue: Call[] = [];
  #inFlight: Call | undefined;
  #numIssued = 0;
  #lost: Error | undefined;
  #isFinalizing = false;
  #place: Pick<Place, 'stage' | 'point'> = { stage: '', point: -1 };
  deadRankHeard = -1;
  beats = true;
  isFinalized = false;

  constructor(info: WorldInfo, process: SimulatedProcess, shared: Shared) {
    this.info = info;
    this.process = process;
    this.#shared = shared;
    this.worker = new Worker(process);
  }

  async broadcast(data: Uint8Array | null, root: number, timeoutMs: number): Promise<Buffer> {
    const all = await this.#call('broadcast', root, data && Buffer.from(data), timeoutMs);
    return all[root] as Buffer;
  }

  async allgather(data: Uint8Array, timeoutMs: number): Promise<Buffer[]> {
    return (await this.#call('allgather', -1, Buffer.from(data), timeoutMs)) as Buffer[];
  }

  async gather(data: Uint8Array, root: number, timeoutMs: number): Promise<Buffer[] | null> {
    const all = await this.#call('gather', root, Buffer.from(data), timeoutMs);
    return this.info.rank === root ? (all as Buffer[]) : null;
  }

  async alltoall(data: readonly Uint8Array[], timeoutMs: number): Promise<Buffer[]> {
    const all = (await this.#call(
      'alltoall',
      -1,
      data.map((part) => Buffer.from(part)),
      timeoutMs,
    )) as Buffer[][];
    return all.map((parts) => parts[this.info.rank] as Buffer);
  }

  async barrier(timeoutMs: number): Promise<void> {
    await this.#call('barrier', -1, null, timeoutMs);
  }

  async renew(timeoutMs: number): Promise<void> {
    if (this.worker.isBusy)
      this.#shared.violate(`${this.process.name} begins an epoch while its worker thread is at work`);
    const epochs = (await this.#call('renewal', -1, this.epoch + 1, timeoutMs)) as number[];
    this.#setEpoch(Math.max(...epochs));
  }

  async failEpoch(): Promise<void> {
    this.calls.push('failEpoch');
    await this.worker.run(async () => this.sendFailure());
  }

  /** On the worker thread. */
  sendFailure(): void {
    const { epoch, info } = this;
    for (const peer of this.#shared.ranks) {
      if (peer === this) continue;
      const { process } = peer;
      process.after(this.#latencyMs(), () => peer.#hearFailure(epoch, info.rank));
    }
  }

  report(stage: string, point: number): void {
    this.calls.push(`report ${stage}`);
    this.process.trace(`is in ${stage} of point ${point}`);
    this.#place = { stage: carriedStage(stage), point };
  }

  place(): Place {
    const { iteration, awaitedPeer } = this.control;
    return { ...this.#place, iteration, awaitedPeer };
  }

  liveness(): RankLiveness[] {
    return this.#shared.heartbeats.livenessFor(this);
  }

  deadRank(): number {
    return this.deadRankHeard;
  }

  noteDead(rank: number): void {
    if (this.deadRankHeard >= 0) return;
    this.process.trace(`notes that rank ${rank} is dead`);
    this.deadRankHeard = rank;
    this.process.after(this.process.random.time(0.05, 2), () => {
      if (this.#lost || this.#isFinalizing) return;
      const where = "Look at that rank's own output and at its host.";
      this.#lose(nativeError('E_PEER_DEAD', `rank ${rank} ended or stopped answering. ${where}`));
    });
  }

  setStop(reason: number): void {
    this.control.stop = reason;
  }

  setAbort(abort: boolean): void {
    this.calls.push(`setAbort ${abort}`);
    if (!abort) Object.assign(this.control, { iteration: -1, awaitedPeer: -1 });
    this.control.abort = abort ? 'own' : 'none';
    // The control thread sets it again where there is still a reason.
    this.process.after(this.process.random.time(0.05, 1), () => this.#endWaits());
  }

  async finalize(timeoutMs: number): Promise<void> {
    const deadlineMs = this.process.clock.nowMs + timeoutMs;
    await this.#call('finalize', -1, null, timeoutMs);
    this.#isFinalizing = true;
    this.beats = false;
    await this.#enqueue('finalize', -1, null, deadlineMs);
    this.isFinalized = true;
    this.#lost = nativeError('E_STATE', 'the world is finalized: no call of it is possible any more');
  }

  abort(status: number): void {
    this.process.exitNow(status);
  }

  /** No call waits for an answer. */
  get isQuiet(): boolean {
    return this.#inFlight === undefined && this.#queue.length === 0;
  }

  /** That a rank has failed this epoch: its exchanges and gates end. */
  get failedRank(): number | undefined {
    return this.#failed.get(this.epoch);
  }

  #hearFailure(epoch: number, rank: number): void {
    if (this.#lost || epoch < this.epoch || epoch > this.epoch + 1 || this.#failed.has(epoch)) return;
    this.#failed.set(epoch, rank);
    this.#endWaits();
  }

  #endWaits(): void {
    if (this.#lost) this.control.endWaits('worldLost');
    else if (this.#failed.has(this.epoch)) this.control.endWaits('peerFailed');
  }

  #setEpoch(epoch: number): void {
    this.process.trace(`begins epoch ${epoch}`);
    this.epoch = epoch;
    for (const old of this.#failed.keys()) if (old < epoch) this.#failed.delete(old);
    if (this.control.abort === 'peerFailed') this.control.abort = 'none';
  }

  async #call(kind: CallKind, root: number, data: unknown, timeoutMs: number): Promise<readonly unknown[]> {
    this.calls.push(kind);
    return await this.#enqueue(kind, root, data, this.process.clock.nowMs + timeoutMs);
  }

  #enqueue(kind: CallKind, root: number, data: unknown, deadlineMs: number): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      const call = { kind, root, data, deadlineMs, resolve, reject };
      if (this.#lost) this.#fail(call, this.#lost);
      else this.#queue.push(call);
      this.#issueNext();
    });
  }

  #issueNext(): void {
    if (this.#inFlight || this.#lost) return;
    const call = this.#queue.shift();
    if (!call) return;
    this.#inFlight = call;
    const { process } = this;
    process.after(process.random.time(0.01, process.random.chance(5) ? 10 : 1), () => {
      if (this.#lost) return;
      const at = this.#numIssued++;
      process.trace(`issues ${call.kind} ${at}`);
      process.clock.at(call.deadlineMs, process, () => {
        if (this.#inFlight !== call) return;
        const what = call.kind === 'renewal' ? 'maximum' : call.kind;
        const why = `the ranks did not all come to a ${what} of the control plane before its deadline`;
        this.#lose(nativeError('E_TIMEOUT', why));
      });
      this.#shared.rounds.arrive(at, process, call, () =>
        process.after(this.#latencyMs(), () => this.#end(call, at)),
      );
    });
  }

  #end(call: Call, at: number): void {
    if (this.#lost || this.#inFlight !== call) return;
    this.#inFlight = undefined;
    this.process.trace(`ends ${call.kind} ${at}`);
    const result = this.#shared.rounds.resultOf(at);
    this.process.after(this.process.random.time(0.005, 0.2), () => call.resolve(result));
    this.#issueNext();
  }

  #fail(call: Call, error: Error): void {
    this.process.after(this.process.random.time(0.005, 0.2), () => call.reject(error));
  }

  /** What waits ends with `error`, what is asked for later with E_WORLD_LOST; heartbeats go on. */
  #lose(error: Error): void {
    if (this.#lost) return;
    this.process.trace(`loses the world: ${error.message}`);
    this.#lost = nativeError('E_WORLD_LOST', `the control plane cannot go on: ${error.message}`);
    const calls = [...(this.#inFlight ? [this.#inFlight] : []), ...this.#queue];
    this.#inFlight = undefined;
    this.#queue = [];
    for (const call of calls) this.#fail(call, error);
    this.#endWaits();
  }

  #latencyMs(): number {
    const { random } = this.process;
    return random.time(0.01, numberAt([0.2, 3, 60], random.chance(4) ? 2 : random.below(2)));
  }
}
