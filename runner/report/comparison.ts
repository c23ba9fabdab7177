/** A against B in a report: the verdict of `ab` or `compare`, and the runs behind it. */
import { openAbFolder, type AbFolder } from '../compare/ab-folder.js';
import { compareTables, refuseOtherClass, refuseSharedRuns } from '../compare/compare-runs.js';
import { keyText, readRuns, type RunTable } from '../compare/run-table.js';
import type { ThresholdRequest } from '../compare/thresholds.js';
import { sentenceOf, sortedKeys } from '../compare/verdict-text.js';
import { countWords, outcomeOfVerdict, type KeyVerdict, type Verdict } from '../compare/verdict.js';
import { RunnerError } from '../errors.js';
import { counted } from '../text/plural.js';
import type { Comparison, Judged, SideTimes } from './model.js';

/** Where a report has its comparison from: a baseline to judge the runs by, or a verdict that was passed already. */
export type ComparisonSource =
  | { readonly against: readonly string[]; readonly thresholds: ThresholdRequest }
  | {
      readonly verdict: Verdict;
      /** Runs of the baseline to show, if available. */
      readonly against: readonly string[];
    };

export interface Against {
  /** Undefined where nothing is or can be compared. */
  readonly comparison: Comparison | undefined;
  readonly complaints: readonly string[];
}

/** The folder of `ab` that was named instead of runs. Throws E_USAGE where anything else is named with it. */
export function abFolderOf(
  runs: readonly string[],
  source: ComparisonSource | undefined,
): AbFolder | undefined {
  const named = runs.flatMap((path) => openAbFolder(path) ?? []);
  const [folder] = named;
  if (folder === undefined) return undefined;
  if (runs.length > 1 || source !== undefined) {
    throw new RunnerError(
      'E_USAGE',
      'a folder of `ab` holds both sides and their verdict: expected it by itself, without other runs, --against or --verdict',
    );
  }
  if (folder.wholeCandidate.length > 0) return folder;
  throw new RunnerError(
    'E_USAGE',
    `${runs[0]}: no run of B ended here; go on with \`railrunner ab --resume\``,
  );
}

/** `runs`, `against`: folders that can be opened. Rejects with E_USAGE for thresholds of no key. */
export async function compareSides(
  source: ComparisonSource | undefined,
  runs: readonly string[],
  against: readonly string[],
): Promise<Against> {
  if (source === undefined) return { comparison: undefined, complaints: [] };
  if ('verdict' in source) {
    const { verdict } = source;
    const times =
      against.length === 0
        ? new Map<string, SideTimes>()
        : timesOf(await readRuns(against, 'time'), await readRuns(runs, 'time'));
    return {
      comparison: comparisonOf(verdict, times),
      complaints: [...verdict.problems, ...lostKeys(verdict)],
    };
  }
  try {
    return await judge(runs, against, source.thresholds);
  } catch (error) {
    // A wrong call is one; runs that cannot be compared are told, and the rest is reported.
    if (!(error instanceof RunnerError) || error.code === 'E_USAGE') throw error;
    return { comparison: undefined, complaints: [`not compared with the baseline: ${error.message}`] };
  }
}

async function judge(
  runs: readonly string[],
  against: readonly string[],
  thresholds: ThresholdRequest,
): Promise<Against> {
  const candidate = await readRuns(runs, 'time');
  const baseline = await readRuns(against, 'time');
  if (baseline.length === 0)
    return { comparison: undefined, complaints: ['not compared: no run of the baseline can be read'] };
  refuseSharedRuns(baseline, candidate);
  refuseOtherClass([...baseline, ...candidate]);
  const verdict = compareTables(baseline, candidate, thresholds);
  return { comparison: comparisonOf(verdict, timesOf(baseline, candidate)), complaints: lostKeys(verdict) };
}

/** What the candidate lost is never green. */
function lostKeys(verdict: Verdict): string[] {
  const { missing } = countWords(verdict.keys);
  return missing === 0 ? [] : [`${counted(missing, 'key')} of the baseline missing in the candidate`];
}

function comparisonOf(verdict: Verdict, times: Comparison['times']): Comparison {
  const { baseline, candidate, notes } = verdict;
  return {
    baseline,
    candidate,
    judged: sortedKeys(verdict.keys).map(judgedOf),
    bounds: boundsOf(verdict.keys),
    summary: sentenceOf(verdict),
    outcome: outcomeOfVerdict(verdict),
    notes,
    times,
  };
}

function judgedOf({ key, word, basis, estimate, numPairs, slowerShare, why }: KeyVerdict): Judged {
  const ratio = (pct: number | null | undefined): number | undefined =>
    typeof pct === 'number' ? 1 + pct / 100 : undefined;
  return {
    key,
    word,
    basis,
    ratio: ratio(estimate?.changePct),
    ratioLow: ratio(estimate?.lowPct),
    ratioHigh: ratio(estimate?.highPct),
    wouldSeePct: estimate?.mdePct ?? undefined,
    slowerShare: slowerShare ?? undefined,
    numPairs,
    note: why,
  };
}

function boundsOf(keys: readonly KeyVerdict[]): string {
  const exact = 'Lines: exact one-sided bounds at 5 % each';
  const noise = 'three times the noise of the baseline';
  const byEffect = keys.filter(({ basis }) => basis === 'effect size').length;
  if (byEffect === 0) return `${exact}.`;
  return byEffect === keys.length ? `Lines: ${noise}.` : `${exact}; where effect sizes are judged, ${noise}.`;
}

function timesOf(baseline: readonly RunTable[], candidate: readonly RunTable[]): Map<string, SideTimes> {
  const keys = new Set([...baseline, ...candidate].flatMap(({ cells }) => [...cells.keys()]));
  const of = (runs: readonly RunTable[], key: string): number[] =>
    runs.flatMap(({ cells }) => {
      const log = cells.get(key)?.log;
      return log === undefined ? [] : [Math.exp(log)];
    });
  return new Map(
    [...keys].map((key) => [keyText(key), { baseline: of(baseline, key), candidate: of(candidate, key) }]),
  );
}
