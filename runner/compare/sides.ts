/** Two sides of runs: which keys can be judged, what the others are called, and which runs are pairs. */
import { differingKeys } from '../run-folder/point-identity.js';
import { isPhaseless, keyText, phaselessKey, type Cell, type RunTable } from './run-table.js';
import type { KeyVerdict, Word } from './verdict.js';
import { itemAt } from '../values/items.js';

export interface Pair {
  readonly baseline: RunTable;
  readonly candidate: RunTable;
}

/** Pairs of neighbours in time with one run of each side; undefined where the runs do not alternate so. */
export function pairRuns(
  baseline: readonly RunTable[],
  candidate: readonly RunTable[],
): readonly Pair[] | undefined {
  if (baseline.length !== candidate.length) return undefined;
  const all = [
    ...baseline.map((run) => ({ run, isCandidate: false })),
    ...candidate.map((run) => ({ run, isCandidate: true })),
  ].sort((a, b) => +a.run.startedAt - +b.run.startedAt);
  const pairs: Pair[] = [];
  for (let at = 0; at < all.length; at += 2) {
    const [left, right] = [itemAt(all, at), itemAt(all, at + 1)];
    if (left.isCandidate === right.isCandidate) return undefined;
    pairs.push(
      left.isCandidate
        ? { baseline: right.run, candidate: left.run }
        : { baseline: left.run, candidate: right.run },
    );
  }
  // A single pair, or every pair in one order, turns drift into a difference.
  const order = pairs.map((pair) => pair.baseline.startedAt < pair.candidate.startedAt);
  return pairs.length > 1 && new Set(order).size === 2 ? pairs : undefined;
}

export interface Sides {
  /** Keys with figures on both sides. */
  readonly judged: readonly string[];
  /** The others, with their word. */
  readonly others: readonly KeyVerdict[];
}

/** `sameWork`: the sides ran one spec by intent, so a key whose resolved job differs is another thing. */
export function sortKeys(
  baseline: readonly RunTable[],
  candidate: readonly RunTable[],
  sameWork = true,
): Sides {
  const keys = new Set([...baseline, ...candidate].flatMap((run) => [...run.cells.keys()]));
  const judged: string[] = [];
  const others: KeyVerdict[] = [];
  for (const key of keys) {
    if (isPhaseless(key)) continue;
    const [old, now] = [stateOf(key, baseline), stateOf(key, candidate)];
    const difference = sameWork && old.cell && now.cell ? workDifference(old.cell, now.cell) : '';
    const word = difference === '' ? wordOf(old.state, now.state) : 'missing';
    if (word === undefined) judged.push(key);
    else if (word !== 'skipped') {
      const why = difference === '' ? now.why || old.why : difference;
      others.push(unjudged(key, word, why));
    }
  }
  return { judged, others: [...others, ...failedPoints(keys, candidate)] };
}

type State = 'measured' | 'failed' | 'skipped' | 'absent';

function stateOf(
  key: string,
  runs: readonly RunTable[],
): { state: State; why: string; cell: Cell | undefined } {
  const cells = runs.map((run) => run.cells.get(key) ?? run.cells.get(phaselessKey(key)));
  const cell = cells.find((own) => own !== undefined);
  const failed = runs.findIndex((_, at) => !['ok', 'idle', 'skipped', undefined].includes(cells[at]?.status));
  if (failed >= 0) return { state: 'failed', why: `${cells[failed]?.status} in ${runs[failed]?.name}`, cell };
  const without = runs.findIndex((_, at) => cells[at]?.log === undefined);
  if (without < 0) return { state: 'measured', why: '', cell };
  const skipped = cells[without] !== undefined;
  const why = `${skipped ? 'skipped' : 'not measured'} in ${runs[without]?.name}`;
  return { state: skipped ? 'skipped' : 'absent', why, cell };
}

/** Undefined: both sides measured it. `skipped`: neither side did, by design. */
function wordOf(old: State, now: State): Word | 'skipped' | undefined {
  if (now === 'failed') return 'failed';
  if (now === 'measured') return old === 'measured' ? undefined : 'new';
  return old === 'skipped' && now === 'skipped' ? 'skipped' : 'missing';
}

function workDifference(old: Cell, now: Cell): string {
  if (old.series === now.series) return '';
  const named = differingKeys(old.job, now.job);
  if (Object.keys(old.job).length === 0) return 'not the same work as in the history (another series)';
  return named.length === 0 ? '' : `not the same work: ${named.join(', ')} differ`;
}

/** A key whose word follows without a comparison of times. */
function unjudged(key: string, word: Word, why: string): KeyVerdict {
  return { key: keyText(key), word, basis: 'none', estimate: null, numPairs: 0, slowerShare: null, why };
}

/** Points of the candidate that failed before a phase, and that the baseline does not know by phases either. */
function failedPoints(keys: ReadonlySet<string>, candidate: readonly RunTable[]): KeyVerdict[] {
  const known = new Set([...keys].filter((key) => !isPhaseless(key)).map(phaselessKey));
  return [...keys]
    .filter((key) => isPhaseless(key) && !known.has(key))
    .flatMap((key) => {
      const { state, why } = stateOf(key, candidate);
      return state === 'failed' ? [unjudged(key, 'failed', why)] : [];
    });
}
