/** Who imports whom: the table of modules, no circles, and no export for nobody. One file: they share syntax trees. */
import t from 'tap';
import { circleViolations } from './circles.js';
import { exportViolations } from './exports.js';
import { importViolations } from './imports.js';
import { sentences, sourcesBelow, typescriptSources } from './sources.js';

const sources = typescriptSources();

t.test('imports keep to the table', async (t) => {
  t.ok(sources.length > 20, 'the rule looks at the real files');
  t.same(sentences(importViolations(sources)), []);
});

t.test('a planted import against the table is found', async (t) => {
  const planted: [string, string, RegExp | null][] = [
    [
      'runner/job-spec/x.ts',
      `import { addon } from '../native/binding.js';`,
      /runner\/job-spec may not import values/,
    ],
    ['runner/job-spec/x.ts', `import type { NativeAddon } from '../native/types/index.js';`, null],
    ['runner/job-spec/x.ts', `import { type A, type B } from '../native/types/index.js';`, null],
    ['runner/job-spec/x.ts', `const a = await import('../native/binding.js');`, /may not import/],
    ['runner/job-spec/x.ts', `import { RunnerError } from '../errors.js';`, null],
    ['runner/native/x.ts', `import type { JobKind } from '../../runner/job/kind.js';`, /stands below/],
    ['runner/engine/x.ts', `import { kinds } from '../../jobs/index.js';`, /not even by a type/],
    ['runner/engine/x.ts', `export { offload } from '../../jobs/kv/offload.js';`, /not even by a type/],
    ['runner/cli/x.ts', `import { kinds } from '../../jobs/index.js';`, /not even by a type/],
    [
      'runner/engine/x.ts',
      `import type { KvSpec } from '../../jobs/kv/spec.generated.js';`,
      /not even by a type/,
    ],
    ['runner/cli/x.ts', `import { offload } from '../../jobs/kv/offload.js';`, /not even by a type/],
    ['jobs/kv/x.ts', `import { moe } from '../moe/y.js';`, /knows no other/],
    [
      'jobs/kv/x.ts',
      `import { withTempDir } from '../../test/helpers/with-temp-dir.js';`,
      /nobody imports a test/,
    ],
    ['runner/new-module/x.ts', `import { addon } from '../native/binding.js';`, /in no line/],
  ];
  for (const [path, text, expected] of planted) {
    const said = sentences(importViolations([{ path, text }]));
    if (expected === null) t.same(said, [], `${path}: ${text}`);
    else t.match(said.join(), expected, `${path}: ${text}`);
  }
});

t.test('no file imports itself through others', async (t) => {
  t.same(sentences(circleViolations(sources)), []);
});

t.test('a planted circle is found, also one of only types', async (t) => {
  const found = circleViolations([
    { path: 'runner/x/a.ts', text: `import { b } from './b.js';` },
    { path: 'runner/x/b.ts', text: `import type { C } from './c.js';` },
    { path: 'runner/x/c.ts', text: `export type { A } from './a.js';\nimport { d } from './d.js';` },
    { path: 'runner/x/d.ts', text: '' },
  ]);
  t.equal(found.length, 1);
  t.match(found[0]?.what, /a\.ts, runner\/x\/b\.ts, runner\/x\/c\.ts import each other/);
});

t.test('every export is imported by another file', async (t) => {
  t.same(sentences(exportViolations(sources, sourcesBelow(['bin'], /railrunner$/))), []);
});

t.test('planted exports that nobody imports are found', async (t) => {
  const found = exportViolations(
    [
      {
        path: 'runner/x/a.ts',
        text: [
          'export const used = 1;',
          'export const lonely = used;',
          'export interface Shape {}',
          'export type Unread = Shape;',
          'export type Forgotten = Shape;',
          'export function late(): void {}',
          'export class OnlyHere {}',
          'new OnlyHere();',
        ].join('\n'),
      },
      { path: 'runner/x/b.ts', text: `export { used } from './a.js';\nlet shape: import('./a.js').Shape;` },
      { path: 'test/x/c.ts', text: `const { late } = await import('../../runner/x/a.js');` },
      { path: 'runner/x/e.ts', text: 'export interface Passed {}\nexport interface Kept {}' },
      { path: 'runner/x/index.ts', text: `export type * from './e.js';` },
      { path: 'test/x/f.ts', text: `import type { Passed } from '../../runner/x/index.js';` },
      { path: 'runner/x/d.generated.ts', text: 'export interface Spec {}' },
    ],
    [{ path: 'bin/railrunner', text: `import { Unread as Other } from '../dist/runner/x/a.js';` }],
  );
  t.same(
    found.map(({ where, what }) => `${where} ${what.split(' ')[0]}`),
    [
      'runner/x/a.ts:2 lonely',
      'runner/x/a.ts:5 Forgotten',
      'runner/x/a.ts:7 OnlyHere',
      'runner/x/b.ts:1 used',
      'runner/x/e.ts:2 Kept',
    ],
  );
});
