/** The process that each rank would be: what runs in it, how it ended, what it has open. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import type { Owner, VirtualClock } from './clock.js';
import type { Random } from './random.js';

/** Thrown where a process ends at once: nothing of it runs afterwards, whoever catches this. */
export class ProcessEnded extends Error {
  constructor() {
    super('the simulated process has ended');
  }
}

export type ProcessEnd =
  | { readonly how: 'returned' | 'exited'; readonly status: number; readonly atMs: number }
  | { readonly how: 'killed'; readonly signal: string; readonly atMs: number }
  | { readonly how: 'threw'; readonly error: unknown; readonly atMs: number };

/** What happens to files whose path ends so, in a span of virtual time. */
export interface FileFault {
  readonly file: string;
  /** Takes no more bytes, or answers nothing. */
  readonly kind: 'full' | 'hangs';
  readonly fromMs: number;
  readonly untilMs: number;
}

const storage = new AsyncLocalStorage<SimulatedProcess>();

/** The simulated process whose code runs now; undefined in the simulator itself. */
export function currentProcess(): SimulatedProcess | undefined {
  return storage.getStore();
}

const FIRST_PID = 70_001;

export class SimulatedProcess implements Owner {
  readonly rank: number;
  readonly host: number;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly signals = new EventEmitter();
  /** What it wrote to its standard outputs. */
  output = '';
  /** Timers that hold a process, files that are open. */
  readonly timers = new Set<object>();
  readonly openFiles = new Map<number, string>();
  fileFaults: readonly FileFault[] = [];
  frozenUntilMs = 0;
  #end: ProcessEnd | undefined;
  readonly #onEnd: (process: SimulatedProcess) => void;

  constructor(
    place: { readonly rank: number; readonly host: number },
    clock: VirtualClock,
    random: Random,
    onEnd: (process: SimulatedProcess) => void,
  ) {
    this.rank = place.rank;
    this.host = place.host;
    this.clock = clock;
    this.random = random;
    this.#onEnd = onEnd;
  }

  get name(): string {
    return `rank ${this.rank}`;
  }

  get pid(): number {
    return FIRST_PID + this.rank;
  }

  static rankOfPid(pid: number): number {
    return pid - FIRST_PID;
  }

  get isAlive(): boolean {
    return this.#end === undefined;
  }

  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  enter(body: () => void): void {
    storage.run(this, body);
  }

  after(ms: number, run: () => void): ReturnType<VirtualClock['after']> {
    return this.clock.after(ms, this, run);
  }

  trace(what: string): void {
    this.clock.trace(this.name, what);
  }

  /** As the operating system does: with a handler it is told, without one it ends. */
  signal(signal: NodeJS.Signals): void {
    if (!this.isAlive) return;
    this.trace(`receives ${signal}`);
    if (signal !== 'SIGKILL' && this.signals.listenerCount(signal) > 0) {
      this.after(0, () => void this.signals.emit(signal));
    } else if (signal !== 'SIGUSR1') {
      this.finish({ how: 'killed', signal, atMs: this.clock.nowMs });
    }
  }

  finish(end: ProcessEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.trace(
      `ends: ${end.how} ${'status' in end ? end.status : 'signal' in end ? end.signal : String(end.error)}`,
    );
    this.#onEnd(this);
  }

  /** Leaves at once, as _exit does. */
  exitNow(status: number): never {
    this.finish({ how: 'exited', status, atMs: this.clock.nowMs });
    throw new ProcessEnded();
  }
}
