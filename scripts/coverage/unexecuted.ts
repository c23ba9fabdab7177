/** What no test executes of a file, piece by piece, with why: the comment next to it says so, or its own text. */
import type { CoverageFile } from 'monocart-coverage-reports';
import { METRICS, type Metric } from './counts.js';
import { REASONS, type Reason } from './reasons.js';

type Range = NonNullable<NonNullable<CoverageFile['data']>['statements']>[number];

/** A statement, branch or function that was never executed. */
export interface Unexecuted {
  readonly metric: Metric;
  readonly path: string;
  /** From 1 on. */
  readonly line: number;
  /** Its first line; of the else that an `if` does not have, the `if`. */
  readonly text: string;
  /** Not there: no reason why not. */
  readonly why?: Reason;
}

/** How much is left for a reason; NO_REASON: for none. */
export type Left = Readonly<Partial<Record<Reason | typeof NO_REASON, Readonly<Record<Metric, number>>>>>;
export const NO_REASON = 'no reason';

export function countByReason(unexecuted: readonly Unexecuted[]): Left {
  const left: Partial<Record<keyof Left, Record<Metric, number>>> = {};
  for (const { metric, why = NO_REASON } of unexecuted) {
    const ofReason = (left[why] ??= { statements: 0, branches: 0, functions: 0 });
    ofReason[metric] += 1;
  }
  return left;
}

/** `v8 ignore next -- KEY` and `v8 ignore start -- KEY`, up to the comment's end. */
const COMMENT = /v8 ignore (?:start|next(?: \d+)?) -- (.+?)\s*(?:\*\/|$)/m;

/** Reasons that a piece of code itself shows: of statements, and of branches that hold nothing else. */
const BY_TEXT: readonly (readonly [RegExp, Reason])[] = [
  [/^\{?\s*throw error;/, 'rethrown'],
  [/^\{?\s*throw new (Error|TypeError|RangeError)\(/, 'mistake'],
  [/^\{?\s*throw new RunnerError\(\s*'(E_STATE|E_INTERNAL)'/, 'mistake'],
];

const INDEXED = /\]\s*\?\?\s*$/;
const LITERAL = /^(''|""|-?\d+n?|null|undefined|NaN|Infinity|\[\]|\{\})$/;

/**
 * What is left of `files`. `withGpus`: the same with what GPU tests executed; a comment that says they execute its code
 * does not count where they did not.
 */
export function unexecutedOf(
  files: readonly CoverageFile[],
  withGpus: readonly CoverageFile[] = [],
): Unexecuted[] {
  const missedOnGpus = new Set(withGpus.flatMap(unexecutedIn).map(placeOf));
  return files.flatMap(unexecutedIn).map((each) => {
    if (each.why !== 'GPUs' || !missedOnGpus.has(placeOf(each))) return each;
    const { why: _, ...unexplained } = each;
    return unexplained;
  });
}

function placeOf({ metric, path, line, text }: Unexecuted): string {
  return `${metric} ${path}:${line} ${text}`;
}

function unexecutedIn(file: CoverageFile): Unexecuted[] {
  const source = file.source ?? '';
  return METRICS.flatMap((metric) =>
    (file.data?.[metric] ?? [])
      .filter(({ count }) => count === 0)
      .map((range) => {
        const why = reasonByComment(file, range) ?? reasonByText(source, range, metric);
        return {
          metric,
          path: file.sourcePath,
          line: source.slice(0, range.start).split('\n').length,
          text: firstLine(source, range),
          ...(why === undefined ? {} : { why }),
        };
      }),
  );
}

function reasonByComment({ source = '', data }: CoverageFile, { start, end }: Range): Reason | undefined {
  for (const ignored of data?.ignores ?? []) {
    if (start < ignored.start || end > ignored.end) continue;
    const key = COMMENT.exec(source.slice(ignored.start, ignored.end))?.[1] ?? '';
    if (Object.hasOwn(REASONS, key)) return key as Reason;
  }
  return undefined;
}

function reasonByText(source: string, { start, end }: Range, metric: Metric): Reason | undefined {
  const text = source.slice(start, end);
  if (metric === 'branches' && LITERAL.test(text.trim()) && INDEXED.test(source.slice(0, start)))
    return 'index';
  return BY_TEXT.find(([pattern]) => pattern.test(text))?.[1];
}

function firstLine(source: string, { start, end }: Range): string {
  return (source.slice(start, end).trim().split('\n')[0] ?? '').slice(0, 100);
}
