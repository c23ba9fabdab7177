import t from 'tap';
import { readJsonLine, readJsonText } from '../../../runner/job-spec/json-text.js';
import { showValue } from '../../../runner/job-spec/issue.js';
import { brief, issuesOf, offloadJob } from './spec-fixture.js';

t.test('integers are what was written', async (t) => {
  const read = readJsonText('[18446744073709551615, 9007199254740991, -9007199254740993, 1e3, 0.5, 1e400]');
  t.equal(read.kind, 'value');
  if (read.kind !== 'value') return;
  t.strictSame(read.value, [
    18446744073709551615n,
    9007199254740991,
    -9007199254740993n,
    1000,
    0.5,
    Infinity,
  ]);
  t.equal(showValue({ a: [2n ** 64n, 'x'] }), '{"a":[18446744073709551616,"x"]}');
  t.strictSame(readJsonLine('{"id": 9007199254740993}'), { value: { id: 9007199254740993n } });
  t.match(readJsonLine('{"id": 9007199254740993,}'), { column: 25, expected: 'a key in double quotes' });
});

t.test('the same values as JSON.parse, and __proto__ is a key', async (t) => {
  const texts = [
    '{"a":{"b":[1,2,{"c":null}]},"d":"\\u00e9\\n","e":true}',
    '[]',
    '{}',
    '"x"',
    '-0',
    '[[],[{}]]',
  ];
  for (const text of texts) t.strictSame((readJsonText(text) as { value: unknown }).value, JSON.parse(text));
  const { value } = readJsonText('{"__proto__": {"polluted": 1}}') as { value: object };
  t.same(Object.keys(value), ['__proto__']);
  t.equal(({} as { polluted?: number }).polluted, undefined);
});

t.test('a number of a spec that cannot be kept exactly is refused as it was written', async (t) => {
  const text = JSON.stringify({ seed: 1, jobs: [offloadJob({ blocks: 2 })] });
  t.match(brief(issuesOf(text.replace('"seed":1', '"seed":9007199254740993'))), [
    /^\/seed: 9007199254740993, which is beyond/,
  ]);
  t.match(brief(issuesOf(text.replace('"blocks":2', '"blocks":18446744073709551615'))), [
    /^\/jobs\/0\/blocks: 18446744073709551615, which is beyond/,
  ]);
  t.match(brief(issuesOf({ jobs: [offloadJob()] }, { set: ['seed=9007199254740993'] })), [
    /9007199254740993/,
  ]);
});
