/** What the windows brought, request by request, and the totals. */
import type { PathBytes, WindowResult } from '../../runner/native/types/index.js';
import type { CacheCounts } from '../cache/tiered-cache.js';
import { movesOf } from './window-builder.js';
import { MOVE_LISTS, type MoveList, type ReplayWindow } from './window.js';

/** A request that begins later than this after it was due is late. */
const LATE_US = 1000;

/** Of one request, by the clock of the replay. */
export interface ServedRequest {
  /** Counted from the first that was taken. */
  readonly number: number;
  readonly numBlocks: number;
  /** Blocks in each of MOVE_LISTS, as decided. */
  readonly moves: Int32Array;
  readonly dueUs: number;
  readonly beginUs: number;
  readonly loadedUs: number;
  readonly endUs: number;
  readonly stallUs: number;
}

/** Blocks that the request moves by these lists. */
export function movedBy({ moves }: ServedRequest, ...lists: readonly MoveList[]): number {
  return lists.reduce((sum, list) => sum + (moves[MOVE_LISTS.indexOf(list)] ?? 0), 0);
}

export interface DirectionSum {
  slots: number;
  busyUs: number;
  bytes: PathBytes;
}

export interface ServedWindow {
  readonly firstRequest: number;
  readonly requests: readonly ServedRequest[];
  /** Counts of the cache behind it, since the warm-up. */
  readonly cache: CacheCounts;
}

const NO_BYTES: PathBytes = { payload: 0, self: 0, ipc: 0, network: 0, pcie: 0, disk: 0 };

export class Served {
  readonly windows: ServedWindow[] = [];
  readonly directions = new Map<string, DirectionSum>();
  /** Of all requests, those of the warm-up included. */
  readonly check = { checked: 0, wrong: 0, firstBad: '' };
  hits = 0;
  fills = 0;
  failedBlocks = 0;
  firstFailure = '';
  fillUs = 0;
  checkUs = 0;
  setUpUs = 0;
  leaderUs = 0;
  blocks = 0;
  /** When the requests that count began. */
  beganUs = 0;
  stopped = false;
  #lastEndUs = 0;

  /** `leaderUs`: what deciding and handing out took, on rank 0. */
  add(window: ReplayWindow, result: WindowResult, leaderUs: number): void {
    this.stopped ||= result.stopped;
    this.#addCheck(window, result);
    const end = result.endUs.at(-1) ?? this.#lastEndUs;
    if (window.isWarmup) this.beganUs = end;
    this.#lastEndUs = end;
    if (window.isWarmup) return;
    this.windows.push({
      firstRequest: window.firstRequest,
      cache: window.cache,
      requests: Array.from(result.dueUs, (dueUs, at) => ({
        number: window.firstRequest + at,
        numBlocks: window.numBlocks[at] ?? 0,
        moves: window.counts.subarray(at * MOVE_LISTS.length, (at + 1) * MOVE_LISTS.length),
        dueUs,
        beginUs: result.beginUs[at] ?? 0,
        loadedUs: result.loadedUs[at] ?? 0,
        endUs: result.endUs[at] ?? 0,
        stallUs: result.stallUs[at] ?? 0,
      })),
    });
    this.hits += result.hits;
    this.fills += result.fills;
    this.failedBlocks += result.failedLoads + result.failedSlots.length;
    this.fillUs += result.fillUs;
    this.checkUs += result.checkUs;
    this.setUpUs += result.setUpUs;
    this.leaderUs += leaderUs;
    this.blocks += window.numBlocks.reduce((sum, blocks) => sum + blocks, 0);
    for (const { direction, slots, busyUs, bytes } of result.directions)
      this.#addDirection(direction, { slots, busyUs, bytes });
  }

  get elapsedUs(): number {
    return this.#lastEndUs - this.beganUs;
  }

  #addDirection(name: string, more: DirectionSum): void {
    const sum = this.directions.get(name) ?? { slots: 0, busyUs: 0, bytes: NO_BYTES };
    this.directions.set(name, {
      slots: sum.slots + more.slots,
      busyUs: sum.busyUs + more.busyUs,
      bytes: addBytes(sum.bytes, more.bytes),
    });
  }

  #addCheck(window: ReplayWindow, result: WindowResult): void {
    const { checked, wrong, firstBad } = result.check;
    this.check.checked += checked;
    this.check.wrong += wrong;
    if (this.firstFailure === '') this.firstFailure = result.firstFailure;
    if (this.check.firstBad !== '' || firstBad === '') return;
    this.check.firstBad = `${placeOf(window, result)}: ${firstBad}`;
  }
}

/** "request 17, block 3 of 24, device slot 5". */
function placeOf(window: ReplayWindow, { firstBadRequest, firstBadSlot }: WindowResult): string {
  const own = firstBadRequest - window.firstRequest;
  for (const { request, list, begin, end } of movesOf(window)) {
    if (request !== own || (list !== 'hits' && !list.endsWith('->device'))) continue;
    for (let at = begin; at < end; at++) {
      if (window.target[at] !== firstBadSlot) continue;
      const how = list === 'hits' ? 'found in the device' : `loaded by ${list}`;
      const block = `block ${window.places[at]} of ${window.numBlocks[own]}`;
      return `request ${firstBadRequest}, ${block}, device slot ${firstBadSlot}, ${how}`;
    }
  }
  return `request ${firstBadRequest}, device slot ${firstBadSlot}`;
}

function addBytes(left: PathBytes, right: PathBytes): PathBytes {
  return {
    payload: left.payload + right.payload,
    self: left.self + right.self,
    ipc: left.ipc + right.ipc,
    network: left.network + right.network,
    pcie: left.pcie + right.pcie,
    disk: left.disk + right.disk,
  };
}

export interface Queue {
  readonly mean: number;
  readonly max: number;
}

/** Requests that had arrived and not ended when each began. They are served in the order of the trace. */
export function queueDepths(requests: readonly ServedRequest[]): Int32Array {
  const arrivals = Float64Array.from(requests, ({ dueUs }) => dueUs).sort();
  let arrived = 0;
  return Int32Array.from(requests, ({ beginUs }, served) => {
    while (arrived < arrivals.length && (arrivals[arrived] ?? 0) <= beginUs) arrived++;
    return Math.max(1, arrived - served);
  });
}

export function queueOf(depths: Int32Array): Queue {
  let [sum, max] = [0, 0];
  for (const depth of depths) {
    sum += depth;
    max = Math.max(max, depth);
  }
  return { mean: depths.length === 0 ? 0 : sum / depths.length, max };
}

export function lateOnes(requests: readonly ServedRequest[]): number {
  return requests.filter(({ dueUs, beginUs }) => beginUs - dueUs > LATE_US).length;
}
