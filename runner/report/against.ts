/**
 * A against B as a description: the ratio of the medians over runs, and how far single runs lie apart. It is no verdict: two
 * groups of runs that were not interleaved differ by the drift of the machine too.
 */
import { classDifferences } from '../run-folder/machine-class.js';
import { counted } from '../text/plural.js';
import { newestRun, type Comparison, type Judged, type Suite } from './model.js';
import { figuresOfSuites, keyOf, type KeyFigures } from './repeats.js';

export interface Against {
  /** Undefined where nothing can be compared. */
  readonly comparison: Comparison | undefined;
  readonly complaints: readonly string[];
}

export function compareWith(candidate: readonly Suite[], baseline: readonly Suite[]): Against {
  const complaints = baseline.flatMap((suite) =>
    suite.runs.flatMap((run) => run.complaints.map((text) => `baseline: ${text}`)),
  );
  const foreign = baseline.flatMap((suite) => classComplaint(suite, candidate));
  const comparable = baseline.filter((suite) => classComplaint(suite, candidate).length === 0);
  complaints.push(...foreign);
  if (comparable.length === 0) return { comparison: undefined, complaints };
  const before = new Map(figuresOfSuites(comparable).map((figures) => [keyOf(figures.key), figures]));
  const after = new Map(figuresOfSuites(candidate).map((figures) => [keyOf(figures.key), figures]));
  const judged = [
    ...[...before].map(([key, figures]) => judge(figures, after.get(key))),
    ...[...after].filter(([key]) => !before.has(key)).map(([, figures]) => entryOf(figures, 'new', '')),
  ];
  const missing = judged.filter((entry) => entry.verdict === 'missing').length;
  if (missing > 0) complaints.push(`${counted(missing, 'key')} of the baseline missing here`);
  return {
    comparison: { ...namesOf(candidate, comparable), judged, bounds: BOUNDS, summary: summaryOf(judged) },
    complaints,
  };
}

/** Why a suite of the baseline cannot be compared with any of the candidate's. */
function classComplaint(suite: Suite, candidate: readonly Suite[]): string[] {
  const twins = candidate.filter((other) => other.specName === suite.specName);
  const { runId } = newestRun(suite);
  if (twins.length === 0) return [`baseline: ${runId} is of the spec ${suite.specName}, of which no RUN is`];
  const differing = twins.map((twin) => classDifferences(suite.machine, twin.machine));
  if (differing.some((differences) => differences.length === 0)) return [];
  const fields = (differing[0] ?? []).map(({ field, left, right }) => `${field} (${left}, here ${right})`);
  return [`baseline: ${runId} is of another machine class and was not compared: ${fields.join(', ')}`];
}

const BOUNDS = 'Lines: the smallest and the largest ratio of single runs.';

function judge(before: KeyFigures, after: KeyFigures | undefined): Judged {
  if (after === undefined) return entryOf(before, 'missing', 'not in the candidate');
  const [a, b] = [before.p50Us, after.p50Us];
  if (b === undefined || after.status !== 'ok')
    return entryOf(after, after.status === 'ok' ? 'missing' : after.status, after.worst.error);
  if (a === undefined || a.median <= 0) return entryOf(after, 'new', 'the baseline has no time');
  return {
    key: after.name,
    verdict: 'not judged',
    ratio: b.median / a.median,
    ratioLow: b.min / a.max,
    ratioHigh: a.min > 0 ? b.max / a.min : undefined,
    note: `${counted(b.count, 'run')} against ${a.count}`,
  };
}

function entryOf(figures: KeyFigures, verdict: string, note: string): Judged {
  return { key: figures.name, verdict, ratio: undefined, ratioLow: undefined, ratioHigh: undefined, note };
}

function summaryOf(judged: readonly Judged[]): string {
  const verdicts = [...new Set(judged.map((entry) => entry.verdict))];
  const counts = verdicts.map(
    (verdict) => `${judged.filter((entry) => entry.verdict === verdict).length} ${verdict}`,
  );
  return `${counts.join(', ')}. Ratios of medians over runs: a description, not a verdict.`;
}

function namesOf(
  candidate: readonly Suite[],
  baseline: readonly Suite[],
): Pick<Comparison, 'baseline' | 'candidate'> {
  const name = (suites: readonly Suite[]): string => {
    const runs = suites.flatMap((suite) => suite.runs.map((run) => run.runId));
    return runs.length === 1 ? String(runs[0]) : `${runs[0]} and ${runs.length - 1} more`;
  };
  return { baseline: name(baseline), candidate: name(candidate) };
}
