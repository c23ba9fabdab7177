/** Collects what requests do into the arrays of a window. */
import { itemAt } from '../../runner/values/items.js';
import type { CopyList, Moves, SlotList } from '../cache/moves.js';
import type { ContentIds } from './content-ids.js';
import { MOVE_LISTS, type ReplayWindow } from './window.js';

/** Of one request. */
export interface Arrival {
  readonly dueUs: number;
  readonly delayUs: number;
  readonly previous: number;
  readonly numBlocks: number;
}

const [DEVICE, HOST, DISK] = [0, 1, 2];

export class WindowBuilder {
  readonly #firstRequest: number;
  readonly #arrivals: Arrival[] = [];
  readonly #counts: number[] = [];
  readonly #source: number[] = [];
  readonly #target: number[] = [];
  readonly #places: number[] = [];
  readonly #content: number[] = [];

  constructor(firstRequest: number) {
    this.#firstRequest = firstRequest;
  }

  /** `moves` of the request that the cache served last. */
  add(moves: Moves, contents: ContentIds, arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#slots(moves.hits, contents);
    for (const [from, to] of [
      [HOST, DISK],
      [DEVICE, HOST],
      [DEVICE, DISK],
      [HOST, DEVICE],
      [DISK, DEVICE],
    ] as const) {
      this.#copies(moves.copies(from, to), contents);
    }
    this.#slots(moves.fills, contents);
  }

  finish(facts: Pick<ReplayWindow, 'cache' | 'isWarmup' | 'isLast'>): ReplayWindow {
    const each = (key: keyof Arrival): number[] => this.#arrivals.map((arrival) => arrival[key]);
    return {
      firstRequest: this.#firstRequest,
      dueUs: Float64Array.from(each('dueUs')),
      delayUs: Float64Array.from(each('delayUs')),
      previous: Int32Array.from(each('previous')),
      numBlocks: Int32Array.from(each('numBlocks')),
      counts: Int32Array.from(this.#counts),
      source: Int32Array.from(this.#source),
      target: Int32Array.from(this.#target),
      places: Int32Array.from(this.#places),
      content: Uint32Array.from(this.#content),
      ...facts,
    };
  }

  #slots({ slots, blocks, places }: SlotList, contents: ContentIds): void {
    this.#copies({ source: slots, target: slots, blocks, places }, contents);
  }

  #copies({ source, target, blocks, places }: CopyList, contents: ContentIds): void {
    this.#counts.push(source.length);
    for (let at = 0; at < source.length; at++) {
      const block = blocks[at] ?? 0;
      this.#source.push(source[at] ?? 0);
      this.#target.push(target[at] ?? 0);
      this.#places.push(places[at] ?? -1);
      this.#content.push(contents.low(block), contents.high(block));
    }
  }
}

/** Where the moves of each list of a request lie: [begin, end) of the window's arrays. */
export function* movesOf(
  { counts }: Pick<ReplayWindow, 'counts'>,
  first = 0,
): Generator<{
  readonly request: number;
  readonly list: (typeof MOVE_LISTS)[number];
  readonly begin: number;
  readonly end: number;
}> {
  let begin = 0;
  for (let at = 0; at < counts.length; at++) {
    const end = begin + (counts[at] ?? 0);
    const list = itemAt(MOVE_LISTS, at % MOVE_LISTS.length);
    yield { request: first + Math.floor(at / MOVE_LISTS.length), list, begin, end };
    begin = end;
  }
}
