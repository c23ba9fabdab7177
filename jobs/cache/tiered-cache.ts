/**
 * Decides, request by request, what lies in which slot of which tier: device, host and disk. Moves no bytes: `simulate`
 * counts what it decides, and a replay does it. Deterministic, so that ranks which are given the same requests decide
 * alike.
 *
 * A request finds the blocks of its head until the first that no tier has (a prefix hit); blocks behind that gap are
 * recomputed. All its blocks are pinned in the device; they enter from the tail to the head, so that a tail goes
 * before its head. A block that leaves the device is offloaded to the next tier unless it lies there already; one that
 * is found below is loaded and stays there too. One that leaves the host goes to disk, unless the device or the disk
 * has it. A request larger than the device keeps its first blocks; the rest is computed and kept nowhere.
 */
import { grown } from '../traces/prefix-tree.js';
import { BlockNumbers } from './block-memory.js';
import { Moves } from './moves.js';
import { Tier, type TierOptions } from './tier.js';

export const TIER_NAMES = ['device', 'host', 'disk'] as const;

export interface CacheCounts {
  requests: number;
  blocks: number;
  /** Found from the head without a gap, by tier. */
  readonly hits: number[];
  /** Blocks behind a gap that a tier has all the same. */
  beyondGap: number;
  /** Those of them that the device has. */
  deviceBeyondGap: number;
  misses: number;
  /** Of requests larger than the device: blocks that nothing keeps. */
  unkept: number;
  /** Loads to the device from host and disk, by tier. */
  readonly loads: number[];
  /** Into host and disk, by tier. */
  readonly offloads: number[];
  /** Blocks that left a tier, by tier. */
  readonly evictions: number[];
  /** Blocks that left the device and were not kept: the tier below was all in use, or did not admit them. */
  notOffloaded: number;
}

const DEVICE = 0;

const noCounts = (): CacheCounts => ({
  requests: 0,
  blocks: 0,
  hits: [0, 0, 0],
  beyondGap: 0,
  deviceBeyondGap: 0,
  misses: 0,
  unkept: 0,
  loads: [0, 0, 0],
  offloads: [0, 0, 0],
  evictions: [0, 0, 0],
  notOffloaded: 0,
});

export class TieredCache {
  counts = noCounts();
  /** Of the last request. */
  readonly moves = new Moves();
  readonly #tiers: readonly Tier[];
  readonly #uses = new BlockNumbers();
  readonly #countsUses: boolean;
  readonly #tellsMoves: boolean;
  readonly #device: Tier;
  /** The tier that takes what leaves the device; -1: none. */
  readonly #below: number;
  #timeMs = 0;
  /** By place in the request: the slot in which the device has the block; -1: it has not. */
  #found = new Int32Array(1024);

  /** Device, host, disk; those that are left out have no blocks. `tellsMoves`: whether `moves` is filled. */
  constructor(tiers: readonly TierOptions[], tellsMoves: boolean) {
    this.#tellsMoves = tellsMoves;
    this.#tiers = tiers.map((options) => new Tier(options));
    this.#countsUses = tiers.some(({ minUses }) => minUses > 1);
    this.#device = this.#tier(DEVICE);
    this.#below = tiers.findIndex(({ capacity }, at) => at > DEVICE && capacity > 0);
    if (this.#device.capacity < 1) throw new RangeError('a device tier of no blocks serves no request');
  }

  /** Resets the counts; the content of the tiers stays. */
  resetCounts(): void {
    this.counts = noCounts();
  }

  /** A copy into the slot failed: what it was to hold is no longer there. Not while a request is served. */
  forget(tier: number, slot: number): void {
    this.#tiers[tier]?.forget(slot);
  }

  /** The next request, by the numbers of its blocks from the head: blocks[0 .. length). Returns its prefix hits. */
  access(blocks: Int32Array, length: number, timeMs: number): number {
    const { counts, moves } = this;
    if (this.#tellsMoves) moves.clear();
    this.#timeMs = timeMs;
    for (let at = 0; at < this.#tiers.length; at++) {
      const tier = this.#tier(at);
      tier.pins.next();
      counts.evictions[at] = (counts.evictions[at] ?? 0) + tier.expire(timeMs);
    }
    const kept = Math.min(length, this.#device.capacity);
    this.#found = grown(this.#found, kept);
    const hits = this.#pinPrefix(blocks, kept);
    counts.requests++;
    counts.blocks += length;
    counts.misses += length - hits;
    counts.unkept += length - kept;
    for (let place = kept - 1; place >= 0; place--) this.#serve(blocks[place] ?? 0, place, place < hits);
    return hits;
  }

  /** Pins what is found from the head on, and in the device what lies behind the gap. Returns the prefix hits. */
  #pinPrefix(blocks: Int32Array, kept: number): number {
    const { counts } = this;
    let hits = 0;
    for (let place = 0; place < kept; place++) {
      const block = blocks[place] ?? 0;
      let at = DEVICE;
      let slot = this.#device.slotOf(block);
      this.#found[place] = slot;
      while (slot < 0 && ++at < this.#tiers.length) slot = this.#tier(at).slotOf(block);
      if (this.#countsUses) this.#uses.set(block, this.#uses.get(block) + 1);
      if (slot < 0) continue;
      if (hits === place) {
        hits++;
        counts.hits[at] = (counts.hits[at] ?? 0) + 1;
      } else {
        counts.beyondGap++;
        if (at !== DEVICE) continue;
      }
      this.#tier(at).pins.pin(slot);
    }
    return hits;
  }

  #serve(block: number, place: number, isHit: boolean): void {
    const device = this.#device;
    const present = this.#found[place] ?? -1;
    if (present >= 0) {
      device.use(present, this.#timeMs);
      if (!isHit) this.counts.deviceBeyondGap++;
      else if (this.#tellsMoves) this.moves.hit(present, block, place);
      return;
    }
    const slot = device.take(block);
    if (slot < 0) throw new RangeError('a request fits into the device, and all its slots are pinned');
    if (device.victim >= 0) {
      this.#countEviction(DEVICE);
      this.#demote(device.victim, slot);
    }
    device.put(slot, block, this.#timeMs);
    if (isHit) this.#load(block, slot, place);
    else if (this.#tellsMoves) this.moves.fill(slot, block, place);
  }

  /** Of a block that was found below the device, and is pinned there. */
  #load(block: number, slot: number, place: number): void {
    for (let at = 1; at < this.#tiers.length; at++) {
      const tier = this.#tier(at);
      const source = tier.slotOf(block);
      if (source < 0) continue;
      tier.touch(source, this.#timeMs);
      this.counts.loads[at] = (this.counts.loads[at] ?? 0) + 1;
      if (this.#tellsMoves) this.moves.copy([at, DEVICE], [source, slot], block, place);
      return;
    }
    throw new RangeError(`block ${block} was found and is in no tier`);
  }

  /** Here and not by itemAt: it is asked for every block, and V8 knows then that only tiers come. */
  #tier(at: number): Tier {
    const tier = this.#tiers[at];
    if (tier === undefined) throw new RangeError(`tier ${at} of ${this.#tiers.length}`);
    return tier;
  }

  #countEviction(tier: number): void {
    this.counts.evictions[tier] = (this.counts.evictions[tier] ?? 0) + 1;
  }

  /** A block leaves the device. */
  #demote(block: number, slot: number): void {
    if (this.#below > 0) this.#store(block, DEVICE, slot, this.#below);
  }

  /** Takes a block to a tier below, and what it displaces there one further. */
  #store(block: number, from: number, fromSlot: number, to: number): void {
    const tier = this.#tier(to);
    const present = tier.slotOf(block);
    if (present >= 0) {
      tier.touch(present, this.#timeMs);
      return;
    }
    const isAdmitted = tier.minUses <= 1 || this.#uses.get(block) >= tier.minUses;
    const slot = isAdmitted ? tier.take(block) : -1;
    if (slot < 0) {
      this.counts.notOffloaded++;
      return;
    }
    const next = this.#tiers[to + 1];
    if (tier.victim >= 0) this.#countEviction(to);
    if (tier.victim >= 0 && next !== undefined && next.capacity > 0 && this.#device.slotOf(tier.victim) < 0) {
      this.#store(tier.victim, to, slot, to + 1);
    }
    tier.put(slot, block, this.#timeMs);
    this.counts.offloads[to] = (this.counts.offloads[to] ?? 0) + 1;
    if (this.#tellsMoves) this.moves.copy([from, to], [fromSlot, slot], block);
  }
}
