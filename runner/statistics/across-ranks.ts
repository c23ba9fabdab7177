/**
 * From every rank's samples to one figure. An iteration is complete when its last rank is, so the completion time of
 * iteration i is the maximum over ranks of sample i; pooling all samples instead would hide a slow rank behind its
 * fast neighbours. The mean over ranks is reported too, because that is what expert-parallel libraries publish.
 */
import { bandwidthGBps } from './bandwidth.js';
import { medianNoisePct } from './median-noise.js';
import { describeSamples, type SampleStatistics } from './samples.js';
import { firstOf, numberAt } from '../values/items.js';

/** One rank that measured; ranks that are idle by design or failed are not handed in. */
export interface RankSamples {
  readonly rank: number;
  /** In the order taken. */
  readonly samplesUs: ArrayLike<number>;
  /** Last minus first rank of its node into each sample; another length than the samples' = not known. */
  readonly entrySkewUs?: ArrayLike<number> | undefined;
  readonly payloadBytes?: number | undefined;
}

export interface AcrossRanks {
  /** Of the maximum over ranks of each iteration. */
  readonly completion: SampleStatistics;
  /** Of the median of the same; undefined where there are too few. */
  readonly medianNoisePct: number | undefined;
  /** Of the mean over ranks of each iteration. */
  readonly meanOverRanks: SampleStatistics;
  /** The rank that came last in most iterations (the lowest one where several did), and in what share of them. */
  readonly slowestRank: number;
  readonly slowestSharePct: number;
  /**
   * Median over iterations of completion time plus the largest entry skew of a node: no iteration took longer from its
   * first rank's entry to its last rank's exit. On more ranks than cores ranks take turns, and their own times by themselves
   * would show a bandwidth that the machine does not have.
   */
  readonly spanP50Us: number;
  /** Payload bytes of all ranks / that span: measured together, never one rank's figure times ranks. */
  readonly aggregateGBps: number | undefined;
}

/** Undefined where there is no iteration that all ranks took: no ranks, no samples, or unequal numbers of them. */
export function acrossRanks(ranks: readonly RankSamples[]): AcrossRanks | undefined {
  const count = ranks[0]?.samplesUs.length ?? 0;
  if (count === 0 || ranks.some((rank) => rank.samplesUs.length !== count)) return undefined;
  const maximumUs = new Float64Array(count);
  const meanUs = new Float64Array(count);
  const spanUs = new Float64Array(count);
  const timesLast = new Map<number, number>();
  for (let iteration = 0; iteration < count; iteration += 1) {
    let last = firstOf(ranks);
    let sumUs = 0;
    for (const rank of ranks) {
      const timeUs = numberAt(rank.samplesUs, iteration);
      sumUs += timeUs;
      if (timeUs > numberAt(last.samplesUs, iteration)) last = rank;
    }
    maximumUs[iteration] = numberAt(last.samplesUs, iteration);
    meanUs[iteration] = sumUs / ranks.length;
    spanUs[iteration] = numberAt(maximumUs, iteration) + largestSkewUs(ranks, iteration, count);
    timesLast.set(last.rank, (timesLast.get(last.rank) ?? 0) + 1);
  }
  const completion = describeSamples(maximumUs);
  const slowest = mostOften(timesLast);
  const spanP50Us = describeSamples(spanUs).p50;
  return {
    completion,
    medianNoisePct: medianNoisePct(maximumUs),
    meanOverRanks: describeSamples(meanUs),
    slowestRank: slowest.rank,
    slowestSharePct: (100 * slowest.times) / count,
    spanP50Us,
    aggregateGBps: bandwidthGBps(sumOrUndefined(ranks.map((rank) => rank.payloadBytes)), spanP50Us),
  };
}

function largestSkewUs(ranks: readonly RankSamples[], iteration: number, count: number): number {
  const known = ranks.filter((rank) => rank.entrySkewUs?.length === count);
  return Math.max(0, ...known.map((rank) => rank.entrySkewUs?.[iteration] ?? 0));
}

/** The sum where every value is known; a partial sum would pass for the whole. */
export function sumOrUndefined(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    sum += value;
  }
  return values.length === 0 ? undefined : sum;
}

function mostOften(timesLast: ReadonlyMap<number, number>): { rank: number; times: number } {
  let best = { rank: -1, times: 0 };
  for (const [rank, times] of timesLast) {
    if (times > best.times || (times === best.times && rank < best.rank)) best = { rank, times };
  }
  return best;
}
