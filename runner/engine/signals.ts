/** Signals of schedulers and people. A handler also keeps SIGUSR1 from opening Node's debugger port. */
import { EXIT } from '../errors.js';
import { takeHeldSignal } from '../environment/early-signals.js';
import { namesOf } from '../values/objects.js';
import { patientBudget, stopBudget, type StopBudget } from './stop-budget.js';

const STATUS = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.terminated,
  SIGUSR1: EXIT.terminated,
} as const satisfies Partial<Record<NodeJS.Signals, number>>;

interface StopHandlers {
  /** Where they arrive. */
  readonly signals: Pick<NodeJS.Process, 'on' | 'off'>;
  /** RAILRUNNER_STOP_GRACE_SECONDS. */
  readonly graceSeconds: number | undefined;
  /** Runs once, at the first signal. */
  readonly onStop: () => void;
  /** Runs when the ranks could not agree or could not end in time; `status` is what the stop asks for. */
  readonly exitWithoutPeers: (status: number) => void;
}

export class StopRequest {
  #status = 0;
  #signal = '';
  #signalledAt = 0;
  #rowsEndAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What a rank without a signal of its own has, too: one may still come. */
  readonly budget: StopBudget;
  readonly #signals: StopHandlers['signals'];
  readonly #exitWithoutPeers: StopHandlers['exitWithoutPeers'];
  readonly #listeners: [NodeJS.Signals, () => void][] = [];

  constructor({ signals, graceSeconds, onStop, exitWithoutPeers }: StopHandlers) {
    this.#signals = signals;
    this.budget = stopBudget(graceSeconds);
    this.#exitWithoutPeers = exitWithoutPeers;
    for (const signal of namesOf(STATUS)) {
      const listener = (): void => {
        if (this.#status !== 0) return;
        this.#status = STATUS[signal];
        this.#signal = signal;
        const { agreeMs, rowsMs } = signal === 'SIGUSR1' ? patientBudget(graceSeconds) : this.budget;
        this.#signalledAt = performance.now();
        this.#rowsEndAt = this.#signalledAt + rowsMs;
        this.#timer = setTimeout(exitWithoutPeers, agreeMs, this.#status);
        onStop();
      };
      signals.on(signal, listener);
      this.#listeners.push([signal, listener]);
    }
  }

  /** A signal that came before there were handlers; to be called once, when what they need is there. */
  takeEarly(): void {
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
    return this.#rowsEndAt ?? performance.now() + this.budget.rowsMs;
  }

  /** What is left of the time that the other ranks have for their own rows. */
  get othersMs(): number {
    return Math.max(0, this.#signalledAt + this.budget.othersMs - performance.now());
  }

  /** All ranks know of a stop, which asks for `status`: the end is in order, and as short. */
  agreed(status: number): void {
    clearTimeout(this.#timer);
    const rowsMs = this.rowsEndAt - performance.now();
    this.#timer = setTimeout(this.#exitWithoutPeers, Math.max(0, rowsMs) + this.budget.exitMs, status);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const [signal, listener] of this.#listeners) this.#signals.off(signal, listener);
  }
}
