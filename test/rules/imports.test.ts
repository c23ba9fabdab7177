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
      'runner/spec/x.ts',
      `import { addon } from '../native/binding.js';`,
      /runner\/spec may not import values/,
    ],
    ['runner/spec/x.ts', `import type { NativeAddon } from '../native/types.js';`, null],
    ['runner/spec/x.ts', `import { type A, type B } from '../native/types.js';`, null],
    ['runner/spec/x.ts', `const a = await import('../native/binding.js');`, /may not import/],
    ['runner/spec/x.ts', `import { RunnerError } from '../errors.js';`, null],
    ['runner/native/x.ts', `import type { JobKind } from '../../jobs/job.js';`, /stands below/],
    ['runner/engine/x.ts', `import { kinds } from '../../jobs/index.js';`, /may not import/],
    ['runner/engine/x.ts', `export { offload } from '../../jobs/kv/offload.js';`, /may not import/],
    ['runner/cli/x.ts', `import { kinds } from '../../jobs/index.js';`, null],
    ['runner/cli/x.ts', `import { offload } from '../../jobs/kv/offload.js';`, /may not import/],
    ['jobs/kv/x.ts', `import { moe } from '../moe/y.js';`, /knows no other/],
    [
      'jobs/kv/x.ts',
      `import { withTempDir } from '../../test/helpers/with-temp-dir.js';`,
      /nobody imports a test/,
    ],
    ['runner/new-room/x.ts', `import { addon } from '../native/binding.js';`, /in no line/],
  ];
  for (const [path, text, expected] of planted) {
    const said = sentences(importViolations([{ path, text }]));
    if (expected === null) t.same(said, [], `${path}: ${text}`);
    else t.match(said.join(), expected, `${path}: ${text}`);
  }
});
