import t from 'tap';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { JOB_KINDS } from '../../../jobs/index.js';
import { formatIssues } from '../../../runner/job-spec/issue.js';
import { loadSpec } from '../../../runner/job-spec/load.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import {
  brief,
  issuesOf,
  goldenLayout,
  jobIssues,
  load,
  offloadJob,
  onboardJob,
  specErrorOf,
} from './spec-fixture.js';

t.test('a legal spec has no issue', async (t) => {
  t.equal(load({ jobs: [offloadJob(), onboardJob()] }).points.length, 2);
});

t.test('unknown keys, with what was meant', async (t) => {
  const issues = issuesOf({
    nmae: 'x',
    defaults: { iteration: 5 },
    jobs: [offloadJob({ bolcks: 3, layout: { ...goldenLayout, pagesize: 4 } })],
  });
  t.same(brief(issues), [
    '/nmae: "nmae"',
    '/defaults/iteration: "iteration"',
    '/jobs/0/bolcks: "bolcks"',
    '/jobs/0/layout/pagesize: "pagesize"',
  ]);
  t.match(issues[0]?.hint, /"name"/);
  t.match(issues[1]?.hint, /"iterations"/);
  t.match(issues[2]?.hint, /"blocks"/);
  t.match(issues[3]?.hint, /"pageSize"/);
});

t.test('wrong types are not coerced', async (t) => {
  const issues = jobIssues(offloadJob({ blocks: '4', bidirectional: 'false', pools: [], iterations: 2.5 }));
  t.same(
    brief(issues).sort(),
    [
      '/jobs/0/bidirectional: string "false"',
      '/jobs/0/blocks: string "4"',
      '/jobs/0/iterations: 2.5',
      '/jobs/0/pools: list []',
    ].sort(),
  );
  t.match(
    issues.find(({ pointer }) => pointer.endsWith('/blocks'))?.expected,
    /integer from 1 to 2147483647/,
  );
  t.match(brief(jobIssues('x' as never)), ['/jobs/0: string "x"']);
  t.match(brief(issuesOf({ jobs: {} })), ['/jobs: object {}']);
  t.match(brief(issuesOf({ jobs: [] })), ['/jobs: []']);
  t.match(brief(issuesOf({ seed: '1', jobs: [offloadJob()] })), ['/seed: string "1"']);
  t.match(brief(issuesOf('{"seed": 1e999, "jobs": []}')), ['/seed: Infinity', '/jobs: []']);
  t.match(brief(jobIssues(offloadJob({ chunkBytes: 'small' }))), ['/jobs/0/chunkBytes: "small"']);
});

t.test('unknown kinds and words, with what was meant', async (t) => {
  const [kind] = jobIssues(offloadJob({ kind: 'offlod' }));
  t.match(kind, { pointer: '/jobs/0/kind', received: '"offlod"', hint: /"offload"/ });
  t.match(brief(jobIssues({ id: 'x' })), ['/jobs/0/kind: nothing']);
  const [order] = jobIssues(offloadJob({ order: 'shufled' }));
  t.match(order, { pointer: '/jobs/0/order', received: '"shufled"', hint: /"shuffled"/ });
  const [long] = jobIssues(offloadJob({ order: 'shuffled'.repeat(13) }));
  t.match(long?.hint, /^known here: /, 'a word of that length is no slip of a known one');
});

t.test('a value that the sweep replaces must be legal too', async (t) => {
  t.same(brief(jobIssues(offloadJob({ blocks: 0, sweep: { blocks: [1, 2] } }))), ['/jobs/0/blocks: 0']);
});

t.test('impossible pairs are refused by name', async (t) => {
  const legal = new Set(['device>host', 'device>disk', 'host>disk', 'host<device', 'disk<device']);
  const tiers = ['device', 'host', 'disk'];
  for (const from of tiers) {
    for (const to of tiers) {
      const isOffload = legal.has(`${from}>${to}`);
      const isOnboard = legal.has(`${from}<${to}`);
      for (const [kind, isLegal] of [
        ['offload', isOffload],
        ['onboard', isOnboard],
      ] as const) {
        const job = offloadJob({ kind, from, to });
        if (isLegal) t.equal(load({ jobs: [job] }).points.length, 1, `${kind} ${from} -> ${to}`);
        else
          t.match(
            jobIssues(job),
            [{ pointer: '/jobs/0/from', received: `${from} -> ${to}` }],
            `${kind} ${from} ${to}`,
          );
      }
    }
  }
  t.match(jobIssues(onboardJob({ from: 'device', to: 'host' }))[0]?.hint, /kind offload/);
});

t.test('zero blocks, more blocks than the pool, a pool that is not there', async (t) => {
  t.same(brief(jobIssues(offloadJob({ blocks: 0 }))), ['/jobs/0/blocks: 0']);
  const [issue] = jobIssues(offloadJob({ blocks: 17 }));
  t.match(issue, {
    pointer: '/jobs/0/blocks',
    expected: /at most 16: pools.deviceBlocks is 16/,
    received: '17',
  });
  const { blocks: _, ...without } = offloadJob({ pools: {} });
  t.match(jobIssues(without), [
    { pointer: '/jobs/0/blocks', received: /^nothing/, hint: /one of its pools/ },
  ]);
  const trace = { order: 'trace', trace: { path: 'trace.jsonl' }, pools: { hostBlocks: 4 } };
  const files = { 'trace.jsonl': '{"timestamp":0,"input_length":512,"output_length":1,"hash_ids":[1]}' };
  t.match(brief(jobIssues(offloadJob(trace), {}, files)), [/^\/jobs\/0\/pools\/deviceBlocks: nothing/]);
});

t.test('geometry overflow, a zero dimension, an alignment that is not a power of two', async (t) => {
  const huge = { ...goldenLayout, innerDim: 2 ** 40, pageSize: 2 ** 20 };
  t.match(jobIssues(offloadJob({ layout: huge }))[0], { pointer: '/jobs/0/layout', expected: /2\^53/ });
  const pool = offloadJob({
    layout: { ...goldenLayout, innerDim: 2 ** 30 },
    pools: { deviceBlocks: 2 ** 30, hostBlocks: 8 },
  });
  t.match(jobIssues(pool)[0], { pointer: '/jobs/0/pools/deviceBlocks', expected: /2\^53/ });
  t.match(brief(jobIssues(offloadJob({ layout: { ...goldenLayout, numLayers: 0 } }))), [
    '/jobs/0/layout/numLayers: 0',
  ]);
  const odd = brief(jobIssues(offloadJob({ layout: { ...goldenLayout, alignment: 48 } })));
  t.same(odd, ['/jobs/0/layout/alignment: 48']);
  t.match(brief(jobIssues(offloadJob({ layout: { ...goldenLayout, dtypeWidthBytes: 3 } }))), [
    '/jobs/0/layout/dtypeWidthBytes: 3',
  ]);
});

t.test('duplicate job ids and keys', async (t) => {
  t.match(brief(issuesOf({ jobs: [offloadJob(), onboardJob({ id: 'down' })] })), [
    '/jobs/1/id: "down", which /jobs/0 has already',
  ]);
  const text = JSON.stringify({ jobs: [offloadJob()] }).replace('"blocks":4', '"blocks":4,"blocks":5');
  t.match(brief(issuesOf(text)), [/^\/jobs\/0\/blocks: the key again at line 1, column \d+/]);
});

t.test('a preset that does not exist', async (t) => {
  const layout = { kind: 'fullyContiguous', model: 'llama-3.1-7b', pageSize: 32 };
  t.match(jobIssues(offloadJob({ layout })), [
    { pointer: '/jobs/0/layout/model', received: '"llama-3.1-7b"', hint: /"llama-3.1-70b"|"llama-3.1-8b"/ },
  ]);
});

t.test('all issues come at once, and print without a stack', async (t) => {
  const error = specErrorOf(() =>
    load({
      device: 'gpu',
      jobs: [
        offloadJob({ blocks: 99, strategy: 'pipelined', extra: 1 }),
        onboardJob({ layout: { kind: 'x' } }),
      ],
    }),
  );
  t.equal(error.code, 'E_SPEC_INVALID');
  t.equal(error.exitStatus, 2);
  const pointers = new Set(error.issues.map(({ pointer }) => pointer));
  for (const pointer of ['/device', '/jobs/0/extra', '/jobs/1/layout/kind']) {
    t.ok(pointers.has(pointer), pointer);
  }
  // The rules across keys speak although a key is unknown.
  for (const pointer of ['/jobs/0/blocks', '/jobs/0/strategy']) t.ok(pointers.has(pointer), pointer);
  const text = formatIssues(error.issues, 'spec.json');
  t.match(text, /at \/device\n {4}expected: one of "cuda", "host", "auto"\n {4}received: "gpu"/);
  t.notMatch(text, /\.(js|ts):\d+/);
});

t.test('not JSON: line and column', async (t) => {
  const cases: [string, string, RegExp][] = [
    ['{\n  "jobs": [1,]\n}', ':2:14', /a JSON value/],
    ['{ "jobs": [] ', ':1:14', /',' or '}'/],
    ["{ 'jobs': [] }", ':1:3', /double quotes/],
    ['{}\n// note', ':2:1', /end of the document/],
    ['', ':1:1', /a JSON value/],
    ['{"a": "x\ny"}', ':1:7', /closed string/],
    ['{"a": 01}', ':1:8', /',' or '}'/],
    ['['.repeat(100_000), ':1:66', /64 levels/],
  ];
  for (const [text, place, expected] of cases) {
    const error = specErrorOf(() => load(text));
    t.equal(error.code, 'E_SPEC_SYNTAX');
    t.ok(error.source.endsWith(place), `${error.source} ends in ${place}`);
    t.match(error.issues[0]?.expected, expected);
  }
  t.match(brief(issuesOf('[]')), [': []']);
});

t.test('not there, a directory, too large, not UTF-8, no permission for a part of the path', async (t) => {
  await withTempDir((folder) => {
    const path = join(folder, 'spec.json');
    const read = (name: string) => specErrorOf(() => loadSpec(name, { kinds: JOB_KINDS }));
    t.match(read(path), { code: 'E_SPEC_READ', issues: [{ received: /no such file/ }] });
    t.match(read(folder), { code: 'E_SPEC_READ', issues: [{ received: 'a directory' }] });
    writeFileSync(path, '{}');
    t.match(read(join(path, 'x')), { code: 'E_SPEC_READ', issues: [{ received: /ENOTDIR/ }] });
    truncateSync(path, 100 * 1024 * 1024);
    t.match(read(path), {
      code: 'E_SPEC_READ',
      issues: [{ received: '104857600 bytes', hint: /at most 16777216 bytes/ }],
    });
    writeFileSync(path, Buffer.from([0x7b, 0xff, 0x7d]));
    t.match(read(path), { code: 'E_SPEC_SYNTAX', issues: [{ received: /not UTF-8 at line 1, column 2/ }] });
    t.match(read('/dev/null'), { code: 'E_SPEC_READ', issues: [{ received: /not a regular file/ }] });
  });
});
