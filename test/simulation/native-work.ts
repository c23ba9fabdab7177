/** Work of a rank's worker thread that meets the other ranks': exchanges and the sampling gate, which end early where a rank fails. */
import type { SampleOptions } from '../../runner/native/types/index.js';
import { nativeError, type RankWorld } from './rank-world.js';

export type MeetingKind = 'allgather' | 'barrier' | 'gate';

/** Before a gate says whom it waits for. */
const NAMING_MS = 5;

interface Meeting {
  readonly kind: MeetingKind;
  /** By rank: its stop word. */
  readonly arrived: Map<number, number>;
  readonly watchers: Set<() => void>;
}

/** Those of all ranks, by epoch and place in it. */
export class Meetings {
  readonly #all = new Map<string, Meeting>();

  arrive(key: string, kind: MeetingKind, rank: number, stop: number): Meeting {
    const meeting = this.#all.get(key) ?? { kind, arrived: new Map(), watchers: new Set() };
    this.#all.set(key, meeting);
    if (meeting.kind !== kind) throw nativeError('E_STATE', 'ranks called different collectives at once');
    meeting.arrived.set(rank, stop);
    for (const look of meeting.watchers) look();
    return meeting;
  }
}

/** The samples of a loop that all ranks run together: native/core/sampler.h. */
export interface SampleSet {
  readonly timesUs: Float64Array;
  readonly stopped: boolean;
}

export class NativeWork {
  readonly #rank: RankWorld;
  readonly #meetings: Meetings;
  readonly #numMet = { allgather: 0, barrier: 0, gate: 0 };
  #epoch = 0;

  constructor(rank: RankWorld, meetings: Meetings) {
    this.#rank = rank;
    this.#meetings = meetings;
  }

  /** Cannot be given up. */
  async busy(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.#rank.process.after(ms, resolve));
  }

  /** Until it is told to stop. */
  async hang(): Promise<never> {
    return await this.#wait(
      () => false,
      () => false,
      () => -1,
    ).then(() => {
      throw nativeError('E_STATE', 'a hang ended by itself');
    });
  }

  /** Until the process ends. */
  async stick(): Promise<never> {
    return await new Promise<never>(() => undefined);
  }

  async exchange(kind: 'allgather' | 'barrier'): Promise<void> {
    await this.#meet(kind, 0);
  }

  /** The largest stop word of all; 2 where a rank has failed. */
  async #gate(): Promise<number> {
    return await this.#meet('gate', this.#rank.control.stop);
  }

  async sample(
    { warmup, iterations }: SampleOptions,
    iterate: (at: number) => Promise<number>,
  ): Promise<SampleSet> {
    const { control } = this.#rank;
    const times: number[] = [];
    let stopped = false;
    try {
      for (let at = 0; at < warmup + iterations; ++at) {
        control.iteration = at;
        if ((await this.#gate()) !== 0) {
          stopped = true;
          break;
        }
        const timeUs = await iterate(at);
        if (at >= warmup) times.push(timeUs);
      }
    } catch (error) {
      this.#rank.sendFailure();
      throw error;
    }
    control.iteration = -1;
    return { timesUs: Float64Array.from(times), stopped };
  }

  async #meet(kind: MeetingKind, stop: number): Promise<number> {
    const rank = this.#rank;
    const { epoch, info, control, process } = rank;
    if (epoch !== this.#epoch) Object.assign(this.#numMet, { allgather: 0, barrier: 0, gate: 0 });
    this.#epoch = epoch;
    const channel = kind === 'gate' ? 'gate' : 'mail';
    const at = kind === 'gate' ? this.#numMet.gate++ : this.#numMet.allgather++;
    const meeting = this.#meetings.arrive(`${channel} ${epoch} ${at}`, kind, info.rank, stop);
    const name = (): void => {
      control.awaitedPeer = awaitedBy(meeting, info.rank, info.worldSize);
    };
    const isHere = (): boolean => meeting.arrived.size === info.worldSize;
    let isWaiting = true;
    const naming = (): void => {
      if (isWaiting && !isHere()) name();
    };
    if (kind === 'gate') process.after(NAMING_MS, naming);
    else naming();
    const look = (): void => {
      if (kind !== 'gate' || control.awaitedPeer >= 0) naming();
    };
    meeting.watchers.add(look);
    try {
      await this.#wait(
        isHere,
        () => rank.failedRank !== undefined,
        (wake) => meeting.watchers.add(wake),
      );
    } catch (error) {
      if (kind === 'gate' && rank.failedRank !== undefined && control.abort === 'peerFailed') return 2;
      throw error;
    } finally {
      isWaiting = false;
      meeting.watchers.delete(look);
    }
    if (!isHere()) {
      if (kind === 'gate') return 2;
      throw nativeError('E_ABORTED', `stopped waiting in ${kind}: rank ${rank.failedRank} has failed`);
    }
    control.awaitedPeer = -1;
    return Math.max(...meeting.arrived.values());
  }

  /** Looks whenever something may have changed, a moment later; being told to stop comes after being ready. */
  async #wait(
    isReady: () => boolean,
    isGivenUp: () => boolean,
    watch: (wake: () => void) => unknown,
  ): Promise<void> {
    const { control, process } = this.#rank;
    await new Promise<void>((resolve, reject) => {
      let isOver = false;
      const check = (): void => {
        if (isOver) return;
        const isAborted = control.abort !== 'none';
        if (!isReady() && !isGivenUp() && !isAborted) return;
        isOver = true;
        unwatch();
        if (isReady() || (isGivenUp() && !isAborted)) resolve();
        else reject(nativeError('E_ABORTED', 'stopped waiting'));
      };
      const wake = (): void =>
        void process.after(process.random.time(0.005, process.random.chance(5) ? 5 : 0.5), check);
      const unwatch = control.watch(wake);
      watch(wake);
      wake();
    });
  }
}

/** Whom a rank waits for: of an allgather the first that is missing, else the next in a dissemination, who may wait itself. */
function awaitedBy({ kind, arrived }: Meeting, rank: number, worldSize: number): number {
  if (kind !== 'barrier') {
    const missing = Array.from({ length: worldSize }, (_, peer) => peer).find((peer) => !arrived.has(peer));
    return missing ?? -1;
  }
  const source = (of: number, round: number): number =>
    (of - 2 ** round + worldSize * 2 ** round) % worldSize;
  const numRounds = Math.ceil(Math.log2(worldSize));
  const hasSent = (of: number, round: number): boolean =>
    arrived.has(of) &&
    Array.from({ length: round }, (_, before) => before).every((before) =>
      hasSent(source(of, before), before),
    );
  for (let round = 0; round < numRounds; ++round) {
    const from = source(rank, round);
    if (!hasSent(from, round)) return from;
  }
  return -1;
}
