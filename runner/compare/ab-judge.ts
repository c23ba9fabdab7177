/**
 * Two stages. All keys in a few interleaved pairs choose what is looked at again; fresh pairs of only those decide. The
 * second data were not used to choose, so few keys are tested and an exact test of few pairs is enough.
 */
import { locationInterval, positiveShare } from '../statistics/signed-rank.js';
import {
  confirm,
  estimateOf,
  gate,
  LEVEL,
  settle,
  verdictOf,
  type Direction,
  type Judgement,
  type Limits,
  type Suspect,
} from './judge.js';
import { keyText, type RunTable } from './run-table.js';
import { namesOf } from './compare-runs.js';
import { sortKeys } from './sides.js';
import { limitsByKey, type ThresholdRequest } from './thresholds.js';
import type { KeyVerdict, Verdict } from './verdict.js';
import { firstOf, present, valueOf } from '../values/items.js';

export type Side = 'a' | 'b';

export interface AbOptions extends ThresholdRequest {
  /** Pairs of all keys. */
  readonly numPairs: number;
  /** Fresh pairs of the keys that those flag; more where many are flagged. */
  readonly numFreshPairs: number;
}

export interface RunPlace {
  readonly stage: 1 | 2;
  /** From 0. */
  readonly pair: number;
  readonly side: Side;
  /** The points to measure; undefined: all. */
  readonly points: readonly number[] | undefined;
}

/** Measures once; undefined where there is no more time, or the user has ended it. */
export type MeasureRun = (place: RunPlace) => Promise<RunTable | undefined>;

/** A, B, B, A, A, B, ...: drift of the machine cancels out of the pairs. */
export function orderOfPair(pair: number): readonly [Side, Side] {
  return pair % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
}

interface Stage {
  readonly a: RunTable[];
  readonly b: RunTable[];
  /** All pairs were measured. */
  readonly whole: boolean;
}

const LARGEST_FRESH_PAIRS = 30;

/** Rejects with what `measure` rejects with, and E_USAGE for thresholds of no key. */
export async function judgeAb(measure: MeasureRun, options: AbOptions): Promise<Verdict> {
  const first = await measureStage(measure, 1, options.numPairs, () => undefined);
  const { judged, others } = sortKeys(first.a, first.b, false);
  const keys = [...new Set([...first.a, ...first.b].flatMap((run) => [...run.cells.keys()]))];
  const limitsOf = limitsByKey(keys, options);
  const flag = (difference: (key: string) => readonly number[]): Map<string, Direction> =>
    new Map(
      judged.flatMap((key) => {
        const direction = gate(difference(key), limitsOf(key).threshold);
        return direction === undefined ? [] : [[key, direction] as const];
      }),
    );
  const flagged = flag((key) => differencesOf(first, key));
  const control = flag((key) => controlOf(first, key));
  const suspects = [...new Set([...flagged.keys(), ...control.keys()])];
  const fresh =
    suspects.length > 0 && first.whole
      ? await measureStage(measure, 2, freshPairs(suspects.length, options), (side) =>
          pointsOf(side === 'a' ? first.a : first.b, suspects),
        )
      : undefined;
  const usable = fresh?.whole === true ? fresh : undefined;
  const suspectOf = (from: ReadonlyMap<string, Direction>, difference: typeof differencesOf): Suspect[] =>
    [...from].map(([key, direction]) => ({
      direction,
      differences: usable ? difference(usable, key) : [],
      threshold: limitsOf(key).threshold,
    }));
  const order = [...flagged.keys()];
  const outcome = confirm(suspectOf(flagged, differencesOf));
  const confirmed = new Set(order.filter((_, at) => outcome[at]));
  const verdicts = judged.map((key): KeyVerdict => {
    const isFlagged = flagged.has(key);
    const differences = differencesOf(isFlagged && usable ? usable : first, key);
    const flag = !isFlagged ? 'no' : !usable ? 'open' : confirmed.has(key) ? 'confirmed' : 'refuted';
    const slowerShare = differences.length > 0 ? positiveShare(differences) : null;
    const judgement = judgeKey(differences, flag, limitsOf(key));
    return { key: keyText(key), numPairs: differences.length, slowerShare, ...judgement };
  });
  const stopped = first.whole && (suspects.length === 0 || usable !== undefined);
  const runs = [...first.b, ...(fresh?.b ?? [])];
  return {
    baseline: namesOf(first.a),
    candidate: namesOf(first.b),
    keys: [...verdicts, ...others],
    problems: [
      ...runs.flatMap((run) => run.problems),
      ...(stopped
        ? []
        : [
            `ended early: ${first.a.length} of ${options.numPairs} pairs, ${fresh?.a.length ?? 0} fresh ones`,
          ]),
    ],
    notes: [`${flagged.size} of ${judged.length} keys were measured again`],
    controlTripped: usable !== undefined && confirm(suspectOf(control, controlOf)).includes(true),
  };
}

/** `open`: flagged by the first stage, and there was no second. */
function judgeKey(
  differences: readonly number[],
  flag: 'no' | 'open' | 'confirmed' | 'refuted',
  limits: Limits,
): Judgement {
  if (differences.length === 0)
    return {
      word: 'too noisy',
      basis: 'none',
      estimate: null,
      why: 'flagged, and not measured in the fresh pairs',
    };
  const interval = locationInterval(differences, LEVEL);
  if (flag === 'confirmed') return verdictOf(interval, limits, 'confirmed');
  if (flag !== 'open') return settle(interval, limits, 'test');
  const why = 'flagged, but not measured again';
  return { word: 'too noisy', basis: 'none', estimate: estimateOf(interval, limits.threshold), why };
}

/** So many that one bad key among all suspects can be found: 2^-n <= level / suspects. */
function freshPairs(numSuspects: number, { numFreshPairs }: AbOptions): number {
  const needed = Math.ceil(Math.log2(numSuspects / LEVEL));
  return Math.min(LARGEST_FRESH_PAIRS, Math.max(numFreshPairs, needed));
}

async function measureStage(
  measure: MeasureRun,
  stage: 1 | 2,
  numPairs: number,
  points: (side: Side) => readonly number[] | undefined,
): Promise<Stage> {
  const runs: { readonly a: RunTable[]; readonly b: RunTable[] } = { a: [], b: [] };
  for (let pair = 0; pair < numPairs; pair += 1) {
    const tables: Partial<Record<Side, RunTable>> = {};
    for (const side of orderOfPair(pair)) {
      const table = await measure({ stage, pair, side, points: points(side) });
      if (table === undefined) return { ...runs, whole: false };
      tables[side] = table;
    }
    runs.a.push(present(tables.a, 'side a of a pair'));
    runs.b.push(present(tables.b, 'side b of a pair'));
  }
  return { ...runs, whole: true };
}

function logOf(run: RunTable | undefined, key: string): number {
  return run?.cells.get(key)?.log ?? NaN;
}

/** B minus A of each pair; a pair that lacks one is left out. */
function differencesOf({ a, b }: Stage, key: string): number[] {
  return a.map((run, at) => logOf(b[at], key) - logOf(run, key)).filter((value) => !Number.isNaN(value));
}

/**
 * Of neighbours of one side, the end of a pair and the start of the next, in turn with either sign: what a pair would show
 * if A and B were equal.
 */
function controlOf({ a, b }: Stage, key: string): number[] {
  return a.slice(1).flatMap((_, at) => {
    const side = orderOfPair(at)[1] === 'a' ? a : b;
    const difference = logOf(side[at + 1], key) - logOf(side[at], key);
    return Number.isNaN(difference) ? [] : [at % 2 === 0 ? difference : -difference];
  });
}

function pointsOf(runs: readonly RunTable[], keys: readonly string[]): number[] {
  const { cells } = firstOf(runs);
  const points = keys.map((key) => valueOf(cells, key).point);
  return [...new Set(points)].sort((x, y) => x - y);
}
