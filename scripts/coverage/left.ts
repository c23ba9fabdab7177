/** What no test executes without GPUs, statement by statement, with why. */
import type { CoverageFile } from 'monocart-coverage-reports';

/** Statements that are left, by reason and then by file. */
export type Left = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Of statements that no list names. */
export const UNTESTED = 'no test, and no reason why not';
export const ON_GPUS = 'executed by the GPU tests';

/** Reasons that the statement itself shows. */
const BY_TEXT: readonly (readonly [RegExp, string])[] = [
  [/^throw error;?$/, 'an error that is not the one looked for is thrown on'],
  [
    /^throw new (Error|TypeError|RangeError)\(|^throw new RunnerError\(\s*'(E_STATE|E_INTERNAL)'/,
    'an assumption of the code did not hold: only a mistake in it gets there',
  ],
];

/** `reasons` by path: where neither GPUs nor the text of a statement tell. `withGpus`: the same files with GPU tests. */
export function leftOf(
  files: readonly CoverageFile[],
  withGpus: readonly CoverageFile[],
  reasons: Readonly<Record<string, string>>,
): Left {
  const left: Record<string, Record<string, number>> = {};
  const onGpus = new Map(withGpus.map((file) => [file.sourcePath, executedIn(file)]));
  for (const file of [...files].sort((a, b) => (a.sourcePath < b.sourcePath ? -1 : 1))) {
    for (const { start, end, count } of file.data?.statements ?? []) {
      if (count !== 0) continue;
      const text = (file.source ?? '').slice(start, end);
      const isOnGpus = onGpus.get(file.sourcePath)?.has(start) === true;
      const why = isOnGpus ? ON_GPUS : (byText(text) ?? reasons[file.sourcePath] ?? UNTESTED);
      const ofReason = (left[why] ??= {});
      ofReason[file.sourcePath] = (ofReason[file.sourcePath] ?? 0) + 1;
    }
  }
  return left;
}

function executedIn(file: CoverageFile): Set<number> {
  const executed = (file.data?.statements ?? []).filter(({ count }) => count !== 0);
  return new Set(executed.map(({ start }) => start));
}

function byText(text: string): string | undefined {
  return BY_TEXT.find(([pattern]) => pattern.test(text))?.[1];
}

/** A literal behind `??`: what noUncheckedIndexedAccess asks for at an index that is there. */
const FALLBACK = /^\?\?\s*(''|""|-?\d+|null|undefined|NaN|Infinity|\[\]|\{\})$/;

/** Branches that are such a fallback and were never taken. */
export function fallbacksIn(files: readonly CoverageFile[]): number {
  return files.reduce((sum, { source = '', data }) => {
    const never = (data?.bytes ?? []).filter(({ count }) => count === 0);
    return sum + never.filter(({ start, end }) => FALLBACK.test(source.slice(start, end).trim())).length;
  }, 0);
}
