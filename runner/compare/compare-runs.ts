/** Judges runs that are there already. */
import { RunnerError } from '../errors.js';
import { classDifferences } from '../run-folder/machine-class.js';
import { appendHistory, baselineOf, changesOf, readHistory } from './history.js';
import { judgeAll, MIN_PAIRS, MIN_RUNS_UNPAIRED, type KeyRuns } from './judge.js';
import { superiority } from '../statistics/rank-sum.js';
import { positiveShare } from '../statistics/signed-rank.js';
import { keyText, readRuns, type RunTable } from './run-table.js';
import { pairRuns, sortKeys, type Pair } from './sides.js';
import { limitsByKey, type ThresholdRequest } from './thresholds.js';
import type { KeyVerdict, Verdict } from './verdict.js';
import { firstOf, itemAt, present } from '../values/items.js';

export interface CompareRequest extends ThresholdRequest {
  readonly baseline: readonly string[];
  readonly candidate: readonly string[];
  /** Compare shares of the probed peak, over machine classes too. */
  readonly ratioOnly: boolean;
  /** Folder of the figures of earlier runs; the candidates are added to it. */
  readonly history: string | undefined;
}

/** Rejects with E_RUN_READ, E_USAGE and E_MACHINE_CLASS. */
export async function compareFolders(request: CompareRequest): Promise<Verdict> {
  const metric = request.ratioOnly ? 'share' : 'time';
  const candidate = await readRuns(request.candidate, metric);
  const history = await readAndAppend(request, candidate);
  const named = await readRuns(request.baseline, metric);
  const baseline = named.length > 0 ? named : baselineOf(history, candidate);
  if (baseline.length === 0) {
    throw new RunnerError(
      'E_USAGE',
      'no baseline: name runs with --against; the history has none of this machine class',
    );
  }
  refuseSharedRuns(baseline, candidate);
  if (!request.ratioOnly) refuseOtherClass([...baseline, ...candidate]);
  const verdict = compareTables(baseline, candidate, request);
  return { ...verdict, notes: [...verdict.notes, ...changesOf(history)] };
}

async function readAndAppend(request: CompareRequest, candidate: readonly RunTable[]): Promise<RunTable[]> {
  const [first] = candidate;
  if (request.history === undefined || first === undefined) return [];
  if (request.ratioOnly) throw new RunnerError('E_USAGE', '--history keeps times: leave out --ratio-only');
  refuseOtherClass(candidate);
  await appendHistory(request.history, candidate);
  return readHistory(request.history, first.machine);
}

/** Throws E_USAGE. */
export function refuseSharedRuns(baseline: readonly RunTable[], candidate: readonly RunTable[]): void {
  const shared = candidate.find((run) => baseline.some((other) => other.name === run.name));
  if (shared) throw new RunnerError('E_USAGE', `run ${shared.name} is on both sides: leave it out of one`);
}

/** Times of different machines are no change of the code. Throws E_MACHINE_CLASS with every differing field. */
export function refuseOtherClass(runs: readonly RunTable[]): void {
  for (const run of runs) {
    const first = firstOf(runs);
    const differences = classDifferences(first.machine, run.machine);
    if (differences.length === 0) continue;
    const named = differences.map(({ field, left, right }) => `${field}: ${left} and ${right}`);
    throw new RunnerError(
      'E_MACHINE_CLASS',
      `runs ${first.name} and ${run.name} are of different machine classes: ${named.join('; ')}. ` +
        'Compare runs of one class, or compare shares of the probed peak with --ratio-only',
    );
  }
}

/** Pure: the same for runs from folders and from elsewhere. */
export function compareTables(
  baseline: readonly RunTable[],
  candidate: readonly RunTable[],
  thresholds: ThresholdRequest,
): Verdict {
  const { judged, others } = sortKeys(baseline, candidate);
  const limitsOf = limitsByKey(
    [...new Set([...baseline, ...candidate].flatMap((run) => [...run.cells.keys()]))],
    thresholds,
  );
  const pairs = pairRuns(baseline, candidate);
  const runs = judged.map((key): KeyRuns => {
    const logs = (side: readonly RunTable[]): number[] => side.map((run) => logOf(run, key));
    const differences = pairs?.map((pair) => differenceOf(pair, key));
    return { baseline: logs(baseline), candidate: logs(candidate), differences, limits: limitsOf(key) };
  });
  const numPairs = pairs?.length ?? Math.min(baseline.length, candidate.length);
  const verdicts = judgeAll(runs).map((judgement, at): KeyVerdict => {
    const { baseline, candidate, differences } = itemAt(runs, at);
    const slowerShare = differences ? positiveShare(differences) : superiority(baseline, candidate);
    return { key: keyText(itemAt(judged, at)), numPairs, slowerShare, ...judgement };
  });
  return {
    baseline: namesOf(baseline),
    candidate: namesOf(candidate),
    keys: [...verdicts, ...others],
    problems: candidate.flatMap((run) => run.problems),
    notes: [...baseline.flatMap((run) => run.problems), ...notesOf(pairs, numPairs)],
    controlTripped: false,
  };
}

function differenceOf({ baseline, candidate }: Pair, key: string): number {
  return logOf(candidate, key) - logOf(baseline, key);
}

/** Of a key that is judged: every run has a figure. */
function logOf(run: RunTable, key: string): number {
  return present(run.cells.get(key)?.log, `the figure of ${keyText(key)} in ${run.name}`);
}

function notesOf(pairs: readonly Pair[] | undefined, numPairs: number): string[] {
  if (pairs) {
    const few = `${numPairs} pairs: fewer than the ${MIN_PAIRS} that a test needs, so effect sizes are judged`;
    return numPairs < MIN_PAIRS ? [few] : [];
  }
  const drift =
    'the runs are not interleaved, so drift of the machine between them looks like a change: use `railrunner ab`';
  const few = `fewer than ${MIN_RUNS_UNPAIRED} runs on a side: effect sizes are judged against the noise of the baseline`;
  return numPairs < MIN_RUNS_UNPAIRED ? [drift, few] : [drift];
}

export function namesOf(runs: readonly RunTable[]): string {
  const [first, ...rest] = runs;
  return rest.length === 0 ? (first?.name ?? 'no run') : `${first?.name} and ${rest.length} more`;
}
