/** The one worker thread of a rank: native tasks one after the other, as native/binding/worker_thread.cc. */
import type { SimulatedProcess } from './rank-context.js';

export class Worker {
  readonly #process: SimulatedProcess;
  #tasks: (() => Promise<void>)[] = [];
  #isRunning = false;
  isBusy = false;

  constructor(process: SimulatedProcess) {
    this.#process = process;
  }

  /** Settles on the main thread, a little after the task has ended. */
  run<T>(task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#tasks.push(async () => {
        this.isBusy = true;
        const settle = await task().then(
          (value) => () => resolve(value),
          (error: unknown) => () => reject(error as Error),
        );
        this.isBusy = false;
        this.#process.after(this.#process.random.time(0.005, 0.2), settle);
      });
      this.#takeNext();
    });
  }

  #takeNext(): void {
    if (this.#isRunning) return;
    const task = this.#tasks.shift();
    if (!task) return;
    this.#isRunning = true;
    this.#process.after(this.#process.random.time(0.005, 0.1), () => {
      void task().then(() => {
        this.#isRunning = false;
        this.#takeNext();
      });
    });
  }
}
