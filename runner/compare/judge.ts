/** From the runs of one key on both sides to a word. Pure; times are natural logarithms, a difference is that of a ratio. */
import { adjustedP } from '../statistics/false-discovery.js';
import { rankSumP, shiftInterval, superiority } from '../statistics/rank-sum.js';
import { locationInterval, signedRankP, type LocationInterval } from '../statistics/signed-rank.js';
import type { Basis, Estimate, Word } from './verdict.js';
import { itemAt, numberAt } from '../values/items.js';

export interface Limits {
  /** Smallest change that counts, as a logarithm. */
  readonly threshold: number;
  /** A key whose time may have changed by more than this, unseen, is too noisy; as a logarithm. */
  readonly resolution: number;
}

export interface Judgement {
  readonly word: Extract<Word, 'regressed' | 'improved' | 'equal' | 'too noisy'>;
  readonly basis: Basis;
  readonly estimate: Estimate | null;
  readonly why: string;
}

export type Direction = 'slower' | 'faster';

/** False discovery rate of the tests, and level of each one-sided bound. */
export const LEVEL = 0.05;
/** Fewer pairs, or runs on each side, cannot reach the level by any test. */
export const MIN_PAIRS = 6;
export const MIN_RUNS_UNPAIRED = 4;
const MIN_RUNS_FOR_NOISE = 3;
/** What a test asks is whether a change exceeds this share of the threshold: a difference from 0 by itself does not matter. */
const MARGIN_SHARE = 0.5;

/** Stage 1: the estimate exceeds the threshold, and all pairs but one agree. No test: it only chooses what to repeat. */
export function gate(differences: readonly number[], threshold: number): Direction | undefined {
  if (differences.length < 2) return undefined;
  const { estimate } = locationInterval(differences, LEVEL);
  const slower = differences.filter((value) => value > 0).length;
  const faster = differences.filter((value) => value < 0).length;
  if (estimate > threshold && slower >= differences.length - 1) return 'slower';
  return estimate < -threshold && faster >= differences.length - 1 ? 'faster' : undefined;
}

export interface Suspect {
  /** Fresh pairs: none of those that made it a suspect. */
  readonly differences: readonly number[];
  readonly direction: Direction;
  readonly threshold: number;
}

/** Stage 2: exact signed-rank tests in the direction of stage 1, Benjamini-Hochberg over the suspects, fresh estimate. */
export function confirm(suspects: readonly Suspect[]): boolean[] {
  const turned = suspects.map(({ differences, direction }) =>
    direction === 'slower' ? differences : differences.map((value) => -value),
  );
  const p = adjustedP(
    turned.map((values, at) => signedRankP(values, itemAt(suspects, at).threshold * MARGIN_SHARE)),
  );
  return turned.map(
    (values, at) =>
      numberAt(p, at) <= LEVEL && locationInterval(values, LEVEL).estimate > itemAt(suspects, at).threshold,
  );
}

/** Of a key that is not flagged, or not confirmed: equal as closely as the bounds say, or too noisy. */
export function settle(interval: LocationInterval, limits: Limits, basis: Basis): Judgement {
  const estimate = estimateOf(interval, limits.threshold);
  const within = interval.lower >= -limits.resolution && interval.upper <= limits.resolution;
  if (within) return { word: 'equal', basis, estimate, why: '' };
  const why = `the time may have changed by ${reach(interval)} without being seen`;
  return { word: 'too noisy', basis, estimate, why };
}

function reach({ lower, upper }: LocationInterval): string {
  const most = Math.max(Math.abs(lower), Math.abs(upper));
  return Number.isFinite(most) ? `${percent(most).toFixed(1)} %` : 'any amount';
}

export function estimateOf({ estimate, lower, upper }: LocationInterval, threshold: number): Estimate {
  const most = Math.max(threshold, Math.abs(lower), Math.abs(upper));
  const finite = (value: number): number | null => (Number.isFinite(value) ? percent(value) : null);
  return {
    changePct: percent(estimate),
    lowPct: finite(lower),
    highPct: finite(upper),
    mdePct: finite(most),
  };
}

/** Logarithm of a ratio -> change in percent. */
export function percent(logRatio: number): number {
  return 100 * Math.expm1(logRatio);
}

/** One key of runs that are there already; what is `paired` ran next to each other. */
export interface KeyRuns {
  /** By run in order of time, logarithms. */
  readonly baseline: readonly number[];
  readonly candidate: readonly number[];
  /** Candidate minus baseline of each pair; undefined: not paired. */
  readonly differences: readonly number[] | undefined;
  readonly limits: Limits;
}

/** Without fresh data every key is tested at once: a verdict needs more pairs the more keys there are. */
export function judgeAll(keys: readonly KeyRuns[]): Judgement[] {
  const tests = keys.map(testOf);
  const p = adjustedP(tests.map((test) => test.p));
  return keys.map((key, at) => {
    const test = itemAt(tests, at);
    // Could a single bad key have been found among so many?
    const reachable = test.leastP * keys.length <= LEVEL;
    if (!reachable) return byEffectSize(key, test);
    const significant = numberAt(p, at) <= LEVEL;
    return significant && Math.abs(test.interval.estimate) > key.limits.threshold
      ? verdictOf(test.interval, key.limits, 'test')
      : settle(test.interval, key.limits, 'test');
  });
}

interface Test {
  readonly interval: LocationInterval;
  /** Two-sided, of a change beyond the margin. */
  readonly p: number;
  /** Smallest p that so many runs can give. */
  readonly leastP: number;
}

function testOf({ baseline, candidate, differences, limits }: KeyRuns): Test {
  const margin = limits.threshold * MARGIN_SHARE;
  const both = (slower: number, faster: number): number => Math.min(1, 2 * Math.min(slower, faster));
  if (differences) {
    const turned = differences.map((value) => -value);
    return {
      interval: locationInterval(differences, LEVEL),
      p: both(signedRankP(differences, margin), signedRankP(turned, margin)),
      leastP: 2 * 0.5 ** differences.length,
    };
  }
  const least = Math.min(baseline.length, candidate.length);
  const shifted = (by: number): number[] => candidate.map((value) => value + by);
  const slower = rankSumP(baseline, shifted(-margin));
  const faster = rankSumP(shifted(margin), baseline);
  return {
    interval: shiftInterval(baseline, candidate, LEVEL),
    p: both(slower, faster),
    leastP: least < MIN_RUNS_UNPAIRED ? 1 : 2 / choose(baseline.length + candidate.length, least),
  };
}

function choose(n: number, k: number): number {
  let result = 1;
  for (let at = 1; at <= k; at += 1) result = (result * (n - k + at)) / at;
  return result;
}

/** Too few runs for a test: keys that exceed all noise are named, those that could hide in it are too noisy. */
function byEffectSize({ baseline, candidate, differences, limits }: KeyRuns, { interval }: Test): Judgement {
  if (baseline.length < MIN_RUNS_FOR_NOISE || candidate.length === 0) {
    const why = `${baseline.length} baseline runs tell nothing of the noise: at least ${MIN_RUNS_FOR_NOISE} do`;
    return { word: 'too noisy', basis: 'none', estimate: null, why };
  }
  const noise = noiseOf(baseline);
  const size = Math.abs(interval.estimate);
  const share = superiority(baseline, candidate);
  const apart = differences ? gate(differences, limits.threshold) !== undefined : share === 0 || share === 1;
  const floor = { ...interval, lower: interval.estimate - 3 * noise, upper: interval.estimate + 3 * noise };
  if (apart && size > limits.threshold && size > 3 * noise) return verdictOf(floor, limits, 'effect size');
  return settle(floor, limits, 'effect size');
}

/** Sample standard deviation. */
function noiseOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

export function verdictOf(interval: LocationInterval, limits: Limits, basis: Basis): Judgement {
  const word = interval.estimate > 0 ? 'regressed' : 'improved';
  return { word, basis, estimate: estimateOf(interval, limits.threshold), why: '' };
}
