/** Virtual time: what is to happen, in order; and the trace of what happened. */
import { createHash } from 'node:crypto';

/** Whose event it is: events of a process that has ended never happen, those of a frozen one come later. */
export interface Owner {
  readonly name: string;
  readonly isAlive: boolean;
  readonly frozenUntilMs: number;
  /** Runs `body` as code of that process. */
  enter(body: () => void): void;
}

export interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly owner: Owner | undefined;
  readonly run: () => void;
  isCancelled: boolean;
}

const isBefore = (a: Event, b: Event): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);

export class VirtualClock {
  #nowMs = 0;
  #sequence = 0;
  readonly #heap: Event[] = [];
  readonly #hash = createHash('sha256');
  readonly #prints: boolean;
  numEvents = 0;
  /** The one that runs now, or ran last: whoever throws without a catcher belongs to it. */
  running: Owner | undefined;

  constructor(prints = false) {
    this.#prints = prints;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Something that happened: two runs of a seed are the same where all of these are. */
  trace(who: string, what: string): void {
    const line = `${this.#nowMs.toFixed(4)} ${who}: ${what}\n`;
    this.#hash.update(line);
    if (this.#prints) process.stdout.write(line);
  }

  traceHash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  after(ms: number, owner: Owner | undefined, run: () => void): Event {
    return this.at(this.#nowMs + Math.max(0, ms), owner, run);
  }

  at(atMs: number, owner: Owner | undefined, run: () => void): Event {
    const event = {
      atMs: Math.max(atMs, this.#nowMs),
      sequence: this.#sequence++,
      owner,
      run,
      isCancelled: false,
    };
    this.#push(event);
    return event;
  }

  /** Takes events until `isOver`, or until none comes before `limitMs`. True where it was over. */
  async run(limitMs: number, isOver: () => boolean): Promise<boolean> {
    for (;;) {
      await settled();
      if (isOver()) return true;
      const event = this.#pop();
      if (event === undefined || event.atMs > limitMs) return false;
      const { owner } = event;
      if (event.isCancelled || owner?.isAlive === false) continue;
      if (owner !== undefined && owner.frozenUntilMs > event.atMs) {
        this.#push(Object.assign(event, { atMs: owner.frozenUntilMs, sequence: this.#sequence++ }));
        continue;
      }
      this.#nowMs = event.atMs;
      this.numEvents += 1;
      this.running = owner;
      if (owner === undefined) event.run();
      else owner.enter(event.run);
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || last === first) return first;
    let at = 0;
    for (;;) {
      let least = last;
      let next = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        const below = heap[child];
        if (below !== undefined && isBefore(below, least)) [least, next] = [below, child];
      }
      heap[at] = least;
      if (next === at) return first;
      at = next;
    }
  }
}

/** Until every promise that can go on has gone on, and a rejection that nobody handles is known as one. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
