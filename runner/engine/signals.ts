/** Signals of schedulers and people. A handler also keeps SIGUSR1 from opening Node's debugger port. */
import { EXIT } from '../errors.js';
import { takeHeldSignal } from '../early-signals.js';

/** How long ranks have to agree on the stop before this rank leaves alone. Open MPI kills 1 s after TERM. */
const LEAVE_ALONE_AFTER_MS = 450;
/** From the agreement on: rows, manifest and MPI_Finalize. */
const END_WITHIN_MS = 250;

const STATUS: Readonly<Record<string, number>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.terminated,
  SIGUSR1: EXIT.terminated,
};

export class StopRequest {
  #status = 0;
  #signal = '';
  #timer: NodeJS.Timeout | undefined;
  readonly #leaveAlone: () => void;
  readonly #listeners: [NodeJS.Signals, () => void][] = [];

  /** `onStop` runs once, at the first signal; `leaveAlone` when the ranks could not agree in time. */
  constructor(onStop: () => void, leaveAlone: () => void) {
    this.#leaveAlone = leaveAlone;
    for (const signal of Object.keys(STATUS) as NodeJS.Signals[]) {
      const listener = (): void => {
        if (this.#status !== 0) return;
        this.#status = STATUS[signal] ?? EXIT.terminated;
        this.#signal = signal;
        this.#timer = setTimeout(leaveAlone, LEAVE_ALONE_AFTER_MS);
        onStop();
      };
      process.on(signal, listener);
      this.#listeners.push([signal, listener]);
    }
    const early = takeHeldSignal();
    this.#listeners.find(([signal]) => signal === early)?.[1]();
  }

  /** 0 until a signal came, then the exit status that it asks for. */
  get status(): number {
    return this.#status;
  }

  get signal(): string {
    return this.#signal;
  }

  /** All ranks know of the stop: the end is in order, and as short. */
  agreed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#leaveAlone, END_WITHIN_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }
}
