/** What launchers do with the other ranks once one has ended badly, as measured (docs/measuring.md has no figure of it: they differ). */
import type { VirtualClock } from './clock.js';
import type { Plan } from './plan.js';
import type { SimulatedProcess } from './rank-context.js';

/** Open MPI 4.1.4: a second from the death to SIGTERM, another to SIGKILL. MPICH 4.0.2: SIGKILL at once. srun: nothing. */
const OPENMPI_PATIENCE_MS = 1000;

export class SimulatedLauncher {
  readonly #clock: VirtualClock;
  readonly #processes: readonly SimulatedProcess[];
  readonly #kind: Plan['launcher'];
  #isEnding = false;

  constructor(kind: Plan['launcher'], clock: VirtualClock, processes: readonly SimulatedProcess[]) {
    this.#kind = kind;
    this.#clock = clock;
    this.#processes = processes;
  }

  /** A process has ended; `isOrderly`: after MPI_Finalize. Open MPI minds a status, but comes too late to matter. */
  ended(isOrderly: boolean): void {
    if (isOrderly || this.#isEnding || this.#kind === 'srun') return;
    this.#isEnding = true;
    if (this.#kind === 'mpich') {
      this.#clock.after(5, undefined, () => this.#signalAll('SIGKILL'));
      return;
    }
    this.#clock.after(OPENMPI_PATIENCE_MS, undefined, () => this.#signalAll('SIGTERM'));
    this.#clock.after(2 * OPENMPI_PATIENCE_MS, undefined, () => this.#signalAll('SIGKILL'));
  }

  #signalAll(signal: NodeJS.Signals): void {
    for (const process of this.#processes) process.signal(signal);
  }
}
