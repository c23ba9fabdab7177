/** Whether the iterations of a measured loop still advance: what tells a point that is merely slow from one that hangs. */

/** Looks per deadline; a look costs microseconds of the main thread. */
const LOOKS = 20;
const LOOK_MS = [50, 1000] as const;
/** An iteration that takes this many times the mean of those before it may still be running. */
const MEANS = 3;

export class ProgressWatch {
  readonly #read: () => number;
  readonly #everyMs: number;
  readonly #timer: NodeJS.Timeout;
  #first: { readonly iteration: number; readonly atMs: number } | undefined;
  #iteration = -1;
  #changedAtMs = 0;

  /** `read` gives the iteration in flight, -1 outside a loop. */
  constructor(timeoutMs: number, read: () => number) {
    this.#read = read;
    this.#everyMs = Math.min(LOOK_MS[1], Math.max(LOOK_MS[0], timeoutMs / LOOKS));
    this.#timer = setInterval(() => this.look(), this.#everyMs).unref();
  }

  look(nowMs = performance.now()): void {
    const iteration = this.#read();
    if (iteration === this.#iteration) return;
    // The loop of another phase starts over.
    if (!this.#first || iteration < this.#iteration) this.#first = { iteration, atMs: nowMs };
    this.#iteration = iteration;
    this.#changedAtMs = nowMs;
  }

  /** True where the newest change is no older than iterations take here, or than two looks are apart. */
  advances(nowMs = performance.now()): boolean {
    this.look(nowMs);
    if (this.#iteration < 0 || !this.#first) return false;
    const count = this.#iteration - this.#first.iteration;
    const meanMs = count > 0 ? (this.#changedAtMs - this.#first.atMs) / count : 0;
    return count > 0 && nowMs - this.#changedAtMs <= Math.max(2 * this.#everyMs, MEANS * meanMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
