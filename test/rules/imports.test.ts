import t from 'tap';
import { importViolations } from './imports.js';
import { sentences, typescriptSources } from './sources.js';

t.test('imports keep to the table', async (t) => {
  const sources = typescriptSources();
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
