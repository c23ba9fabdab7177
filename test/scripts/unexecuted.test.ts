/** Why a piece of code is not executed: the comment next to it says so, or its own text. */
import type { CoverageFile } from 'monocart-coverage-reports';
import t from 'tap';
import { countByReason, unexecutedOf } from '../../scripts/coverage/unexecuted.js';

/** `source` of a file, of which the pieces with these texts ran so often, each within its place after the one before. */
function fileOf(
  sourcePath: string,
  source: string,
  metric: 'statements' | 'branches',
  counts: readonly (readonly [string, number])[],
): CoverageFile {
  let from = 0;
  const ranges = counts.map(([text, count]) => {
    const start = source.indexOf(text, from);
    from = start + 1;
    return { start, end: start + text.length, count };
  });
  const ignores = [...source.matchAll(/ *(\/\/|\/\*) v8 ignore.*\n.*\n/g)].map(({ index, 0: text }) => ({
    start: index,
    end: index + text.length,
    type: 'next',
  }));
  return { sourcePath, source, data: { [metric]: ranges, ignores } } as unknown as CoverageFile;
}

t.test('what was not executed has its reason: a comment, its own text, or none', async (t) => {
  const source = `ran();
rare();
// v8 ignore next -- failing disk
close();
/* v8 ignore next -- GPUs */
copy();
// v8 ignore next -- no such key
other();
  throw error;
throw new RunnerError('E_STATE', 'x');
throw new RunnerError('E_SPEC', 'x');
`;
  const pieces = (onGpu: number): [string, number][] => [
    ['ran();', 3],
    ['rare();', 0],
    ['close();', 0],
    ['copy();', onGpu],
    ['other();', 0],
    ['throw error;', 0],
    ["throw new RunnerError('E_STATE', 'x');", 0],
    ["throw new RunnerError('E_SPEC', 'x');", 0],
  ];
  const here = [fileOf('jobs/a.ts', source, 'statements', pieces(0))];
  const left = unexecutedOf(here, [fileOf('jobs/a.ts', source, 'statements', pieces(1))]);
  t.same(
    left.map(({ line, text, why }) => [line, text, why]),
    [
      [2, 'rare();', undefined],
      [4, 'close();', 'failing disk'],
      [6, 'copy();', 'GPUs'],
      [8, 'other();', undefined],
      [9, 'throw error;', 'rethrown'],
      [10, "throw new RunnerError('E_STATE', 'x');", 'mistake'],
      [11, "throw new RunnerError('E_SPEC', 'x');", undefined],
    ],
  );
  t.equal(unexecutedOf(here)[2]?.why, 'GPUs', 'nothing is known of GPUs: the comment counts');
  t.equal(unexecutedOf(here, here)[2]?.why, undefined, 'the GPU tests do not execute it either');
  t.match(countByReason(left), {
    'no reason': { statements: 3, branches: 0, functions: 0 },
    mistake: { statements: 1, branches: 0, functions: 0 },
  });
});

t.test('of a branch not taken, a literal behind ?? at an index needs no comment', async (t) => {
  const source = 'a[0] ?? 1; b.get(2) ?? 3; c[4] ?? d();';
  const literals = [
    ['1', 0],
    ['3', 0],
    ['d()', 0],
  ] as const;
  t.same(
    unexecutedOf([fileOf('jobs/a.ts', source, 'branches', literals)]).map(({ text, why }) => [text, why]),
    [
      ['1', 'index'],
      ['3', undefined],
      ['d()', undefined],
    ],
  );
});
