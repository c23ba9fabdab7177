/** The same caches written for nothing but to be read: lists that are searched, blocks named by their whole path. */
import { present } from '../../../runner/values/items.js';

export interface NaiveRequest {
  /** Of each block the text of its path, from the head. */
  readonly paths: readonly string[];
  readonly timeMs: number;
}

export type NaiveCache = (request: NaiveRequest) => { readonly hits: number; readonly any: number };

/** What differs between policies; `held` is what the cache holds. */
interface NaivePolicy {
  insert(block: string, timeMs: number): void;
  touch(block: string, timeMs: number): void;
  /** Takes a block that is not pinned out and returns it. */
  evict(isPinned: (block: string) => boolean, incoming: string): string;
  expire?(timeMs: number): string[];
}

/** The request's rule, the same for all policies: look up, pin, serve from the tail to the head. */
export function naiveCache(capacity: number, policy: NaivePolicy): NaiveCache {
  const held = new Set<string>();
  return ({ paths, timeMs }) => {
    for (const block of policy.expire?.(timeMs) ?? []) held.delete(block);
    const kept = paths.slice(0, capacity);
    const gap = kept.findIndex((block) => !held.has(block));
    const hits = gap < 0 ? kept.length : gap;
    const any = kept.filter((block) => held.has(block)).length;
    const pinned = new Set(kept);
    for (const block of [...kept].reverse()) {
      if (held.has(block)) {
        policy.touch(block, timeMs);
        continue;
      }
      if (held.size === capacity) held.delete(policy.evict((other) => pinned.has(other), block));
      held.add(block);
      policy.insert(block, timeMs);
    }
    return { hits, any };
  };
}

const without = (list: string[], block: string): void => {
  list.splice(list.indexOf(block), 1);
};

/** Lists have their head first. Pinned blocks at the end go to the head, as they are in use. */
function takeLast(list: string[], isPinned: (block: string) => boolean): string | undefined {
  for (let seen = list.length; seen > 0; seen--) {
    const last = present(list.pop(), 'the last of a list');
    if (!isPinned(last)) return last;
    list.unshift(last);
  }
  return undefined;
}

export function naiveLru(ttlMs = Infinity): NaivePolicy {
  const order: string[] = [];
  const used = new Map<string, number>();
  return {
    insert: (block, timeMs) => {
      order.unshift(block);
      used.set(block, timeMs);
    },
    touch: (block, timeMs) => {
      without(order, block);
      order.unshift(block);
      used.set(block, timeMs);
    },
    evict: (isPinned) => present(takeLast(order, isPinned), 'a block to evict'),
    expire: (timeMs) => {
      const old = order.filter((block) => timeMs - (used.get(block) ?? 0) > ttlMs);
      for (const block of old) without(order, block);
      return old;
    },
  };
}

export function naiveSlru(capacity: number): NaivePolicy {
  const [probation, safe]: [string[], string[]] = [[], []];
  return {
    insert: (block) => probation.unshift(block),
    touch: (block) => {
      without(probation.includes(block) ? probation : safe, block);
      safe.unshift(block);
      if (safe.length > Math.floor(0.8 * capacity))
        probation.unshift(present(safe.pop(), 'the last of the safe ones'));
    },
    evict: (isPinned) =>
      present(takeLast(probation, isPinned) ?? takeLast(safe, isPinned), 'a block to evict'),
  };
}

export function naiveS3Fifo(capacity: number): NaivePolicy {
  const smallTarget = Math.max(1, Math.floor(capacity / 10));
  const [small, main]: [string[], string[]] = [[], []];
  const uses = new Map<string, number>();
  /** Everything that ever left the small queue, latest first; a block that came back leaves a hole. */
  const ghosts: (string | null)[] = [];
  return {
    insert: (block) => {
      uses.set(block, 0);
      const at = ghosts.indexOf(block);
      const isKnown = at >= 0 && at < capacity - smallTarget;
      if (at >= 0) ghosts[at] = null;
      (isKnown ? main : small).unshift(block);
    },
    touch: (block) => uses.set(block, Math.min(3, (uses.get(block) ?? 0) + 1)),
    evict: (isPinned) => {
      const free = (list: string[]): boolean => list.some((block) => !isPinned(block));
      for (;;) {
        const list = free(small) && (small.length >= smallTarget || !free(main)) ? small : main;
        const block = list.pop() as string;
        if (isPinned(block)) {
          list.unshift(block);
          continue;
        }
        const count = uses.get(block) ?? 0;
        if (list === small && count >= 2) {
          uses.set(block, 0);
          main.unshift(block);
        } else if (list === main && count > 0) {
          uses.set(block, count - 1);
          main.unshift(block);
        } else {
          if (list === small) ghosts.unshift(block);
          return block;
        }
      }
    },
  };
}

/** As the figure of the paper has it, with T1, T2, B1 and B2. */
export function naiveArc(capacity: number): NaivePolicy {
  const lists: Record<'t1' | 't2' | 'b1' | 'b2', string[]> = { t1: [], t2: [], b1: [], b2: [] };
  let p = 0;
  const adapted = (block: string): number => {
    const [one, two] = [lists.b1.length, lists.b2.length];
    if (lists.b1.includes(block)) return Math.min(capacity, p + Math.max(1, Math.floor(two / one)));
    if (lists.b2.includes(block)) return Math.max(0, p - Math.max(1, Math.floor(one / two)));
    return p;
  };
  return {
    insert: (block) => {
      p = adapted(block);
      const isKnown = lists.b1.includes(block) || lists.b2.includes(block);
      if (isKnown) without(lists.b1.includes(block) ? lists.b1 : lists.b2, block);
      (isKnown ? lists.t2 : lists.t1).unshift(block);
      while (lists.t1.length + lists.b1.length > capacity && lists.b1.length > 0) lists.b1.pop();
      const all = (): number => Object.values(lists).reduce((sum, list) => sum + list.length, 0);
      while (all() > 2 * capacity) lists.b2.pop();
    },
    touch: (block) => {
      without(lists.t1.includes(block) ? lists.t1 : lists.t2, block);
      lists.t2.unshift(block);
    },
    evict: (isPinned, incoming) => {
      const target = adapted(incoming);
      const { length } = lists.t1;
      const fromOnce = length > 0 && (length > target || (lists.b2.includes(incoming) && length === target));
      for (const once of [fromOnce, !fromOnce]) {
        const block = takeLast(once ? lists.t1 : lists.t2, isPinned);
        if (block === undefined) continue;
        (once ? lists.b1 : lists.b2).unshift(block);
        return block;
      }
      throw new Error('nothing to evict');
    },
  };
}

/** Keeps what is used again first, of one request the head; hits of all requests. */
export function naiveBelady(capacity: number, requests: readonly NaiveRequest[]): number {
  let held: string[] = [];
  let hits = 0;
  for (const [now, { paths }] of requests.entries()) {
    const gap = paths.findIndex((block) => !held.includes(block));
    hits += gap < 0 ? paths.length : gap;
    const next = (block: string): number => {
      const at = requests.findIndex((later, index) => index > now && later.paths.includes(block));
      return at < 0 ? Infinity : at;
    };
    const depth = (block: string): number => block.split('/').length;
    held = [...new Set([...held, ...paths])]
      .map((block) => ({ block, next: next(block), depth: depth(block) }))
      .filter((each) => each.next !== Infinity)
      .sort((a, b) => a.next - b.next || a.depth - b.depth)
      .slice(0, capacity)
      .map(({ block }) => block);
  }
  return hits;
}
