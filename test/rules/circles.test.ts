import t from 'tap';
import { circleViolations } from './circles.js';
import { sentences, typescriptSources } from './sources.js';

t.test('no file imports itself through others', async (t) => {
  const sources = typescriptSources();
  t.ok(sources.length > 20, 'the rule looks at the real files');
  t.same(sentences(circleViolations(sources)), []);
});

t.test('a planted circle is found, also one of types alone', async (t) => {
  const found = circleViolations([
    { path: 'runner/x/a.ts', text: `import { b } from './b.js';` },
    { path: 'runner/x/b.ts', text: `import type { C } from './c.js';` },
    { path: 'runner/x/c.ts', text: `export type { A } from './a.js';\nimport { d } from './d.js';` },
    { path: 'runner/x/d.ts', text: '' },
  ]);
  t.equal(found.length, 1);
  t.match(found[0]?.what, /a\.ts, runner\/x\/b\.ts, runner\/x\/c\.ts import each other/);
});
