/** What outlives a point: pools and communicators, kept by key until another point needs their memory. */

interface Closable {
  close(): Promise<void>;
  /** The end of a good run leaves it to the end of the process, which is quicker; the run then exits without destructors. */
  readonly endsWithProcess?: boolean;
}

export class ResourceCache {
  readonly #entries = new Map<string, Closable>();

  /** The resource of that key, created on first use. The key must hold everything that the resource depends on. */
  async acquire<T extends Closable>(key: string, create: () => Promise<T>): Promise<T> {
    const existing = this.#entries.get(key);
    // A key holds everything that the resource depends on, so also which sort it is.
    if (existing) return existing as T;
    const created = await create();
    this.#entries.set(key, created);
    return created;
  }

  /** Closes every resource whose key is refused, newest first; a failure to close one does not keep the others. */
  async retain(keep: (key: string) => boolean): Promise<void> {
    const failures: unknown[] = [];
    for (const [key, resource] of [...this.#entries].reverse()) {
      if (keep(key)) continue;
      this.#entries.delete(key);
      try {
        await resource.close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Takes one resource out and closes it, if it is there. */
  async drop(key: string): Promise<void> {
    await this.retain((other) => other !== key);
  }

  async closeAll(): Promise<void> {
    await this.retain(() => false);
  }

  /** At the end of a run. What is left then ends with the process. */
  async closeForExit(): Promise<void> {
    await this.retain((key) => this.#entries.get(key)?.endsWithProcess === true);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }
}
