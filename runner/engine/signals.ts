/** Signals of schedulers and people. A handler also keeps SIGUSR1 from opening Node's debugger port. */
import { EXIT } from '../errors.js';
import { takeHeldSignal } from '../environment/early-signals.js';
import { namesOf } from '../values/objects.js';

/**
 * From the signal on: how long ranks have to agree on the stop before this rank leaves by itself, and until when rows of points
 * that never ran are written. Open MPI 4.1 kills a second after its SIGTERM, but `launch` and batch systems do not: rows are in
 * their file chunk by chunk, so a longer try costs nothing.
 */
const HURRIED = { aloneMs: 450, rowsMs: 5000 };
/** Launchers hand SIGUSR1 on and kill nobody for it: schedulers send it a minute before their own end. */
const PATIENT = { aloneMs: 30_000, rowsMs: 15_000 };
/** A rank that leaves by itself makes its launcher end the others: they get this long from the signal on for their rows. */
const OTHERS_MS = 900;
/** After the rows: manifest and MPI_Finalize. */
const END_WITHIN_MS = 100;

const STATUS = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.terminated,
  SIGUSR1: EXIT.terminated,
} as const satisfies Partial<Record<NodeJS.Signals, number>>;

export class StopRequest {
  #status = 0;
  #signal = '';
  #signalledAt = 0;
  #rowsEndAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #exitWithoutPeers: () => void;
  readonly #listeners: [NodeJS.Signals, () => void][] = [];

  /** `onStop` runs once, at the first signal; `exitWithoutPeers` when the ranks could not agree in time. */
  constructor(onStop: () => void, exitWithoutPeers: () => void) {
    this.#exitWithoutPeers = exitWithoutPeers;
    for (const signal of namesOf(STATUS)) {
      const listener = (): void => {
        if (this.#status !== 0) return;
        this.#status = STATUS[signal];
        this.#signal = signal;
        const { aloneMs, rowsMs } = signal === 'SIGUSR1' ? PATIENT : HURRIED;
        this.#signalledAt = performance.now();
        this.#rowsEndAt = this.#signalledAt + rowsMs;
        this.#timer = setTimeout(exitWithoutPeers, aloneMs);
        onStop();
      };
      process.on(signal, listener);
      this.#listeners.push([signal, listener]);
    }
    const early = takeHeldSignal();
    this.#listeners.find(([signal]) => signal === early)?.[1]();
  }

  /** Another rank had it: this one ends with the same status. */
  note(status: number, signal: string): void {
    if (this.#status === 0) [this.#status, this.#signal] = [status, signal];
  }

  /** 0 until a signal came, then the exit status that it asks for. */
  get status(): number {
    return this.#status;
  }

  get signal(): string {
    return this.#signal;
  }

  /** On the clock of performance.now(): until then rows may be written. A rank that has no signal of its own may get one. */
  get rowsEndAt(): number {
    return this.#rowsEndAt ?? performance.now() + HURRIED.rowsMs;
  }

  /** What is left of the time that the other ranks have for their own rows. */
  get othersMs(): number {
    return Math.max(0, this.#signalledAt + OTHERS_MS - performance.now());
  }

  /** All ranks know of the stop: the end is in order, and as short. */
  agreed(): void {
    clearTimeout(this.#timer);
    const rowsMs = this.rowsEndAt - performance.now();
    this.#timer = setTimeout(this.#exitWithoutPeers, Math.max(0, rowsMs) + END_WITHIN_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }
}
