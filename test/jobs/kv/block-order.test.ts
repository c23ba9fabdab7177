import t from 'tap';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blockOrder } from '../../../jobs/kv/block-order.js';
import { LruPool } from '../../../jobs/kv/lru-pool.js';
import { seededRandom, shuffledIds } from '../../../jobs/kv/random.js';
import { parseTrace } from '../../../jobs/kv/trace.js';
import { projectRoot } from '../../../runner/project.js';
import { SMALL_TRACE_PATH, smallTrace } from '../../../scripts/generate/trace.js';
import { needsFile } from '../../helpers/require.js';
import { brief, jobIssues, specOfJob, offloadJob } from '../../runner/job-spec/spec-fixture.js';

const realTrace = join(projectRoot, '..', 'shared', 'traces', 'conversation_trace.jsonl');
const pools = { deviceBlocks: 64, hostBlocks: 256, diskBlocks: 64 };

function specOf(changes: Record<string, unknown>) {
  return specOfJob<KvSpec>(offloadJob({ pools, ...changes }));
}

function isLegal(ids: Int32Array, capacity: number): boolean {
  return new Set(ids).size === ids.length && ids.every((id) => id >= 0 && id < capacity);
}

t.test('sequential and strided', async (t) => {
  t.same([...blockOrder(specOf({}), 3).forward.targetIds], [0, 1, 2, 3]);
  const { sourceIds, targetIds } = blockOrder(specOf({ order: 'strided' }), 0).forward;
  t.same([...sourceIds], [0, 16, 32, 48]);
  t.same([...targetIds], [0, 64, 128, 192]);
});

t.test('shuffled: each id once, by seed, rank and pool; replicated ranks agree', async (t) => {
  const spec = specOf({ order: 'shuffled', blocks: 64 });
  const { forward } = blockOrder(spec, 0);
  t.ok(isLegal(forward.sourceIds, 64) && isLegal(forward.targetIds, 256));
  t.same(blockOrder(spec, 0), blockOrder(spec, 0));
  t.notSame(forward.sourceIds, blockOrder(spec, 1).forward.sourceIds);
  t.notSame(
    forward.sourceIds,
    blockOrder(specOf({ order: 'shuffled', blocks: 64, seed: 2 }), 0).forward.sourceIds,
  );
  const even = blockOrder(
    specOf({ order: 'shuffled', blocks: 64, pools: { ...pools, hostBlocks: 64 } }),
    0,
  ).forward;
  t.notSame(even.sourceIds, even.targetIds);
  const replicated = specOf({ order: 'shuffled', mode: 'replicated' });
  t.same(blockOrder(replicated, 0), blockOrder(replicated, 3));
});

t.test('both directions move different blocks', async (t) => {
  for (const order of ['sequential', 'shuffled', 'strided']) {
    const { forward, reverse } = blockOrder(specOf({ order, bidirectional: true, blocks: 32 }), 0);
    if (reverse === null) throw new Error('no way back');
    t.ok(isLegal(Int32Array.of(...forward.sourceIds, ...reverse.targetIds), 64), order);
    t.ok(isLegal(Int32Array.of(...forward.targetIds, ...reverse.sourceIds), 256), order);
  }
});

t.test('the generator is even and the same everywhere', async (t) => {
  const random = seededRandom(1, 2, 3);
  t.same([random.below(1000), random.below(1000), random.below(1000)], [855, 655, 364]);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let draw = 0; draw < 10_000; draw++) counts[random.below(10)]! += 1;
  t.ok(
    counts.every((count) => count > 850 && count < 1150),
    String(counts),
  );
  t.notSame(
    shuffledIds(50, 50, seededRandom(2 ** 32)),
    shuffledIds(50, 50, seededRandom(0)),
    'high bits count',
  );
  const limit = 2 ** 31 + 1;
  const [drawn, raw] = [seededRandom(7), seededRandom(7)];
  const inside = Array.from({ length: 20 }, () => raw.below(2 ** 32)).filter((value) => value < limit);
  t.ok(inside.length < 20);
  t.same(
    Array.from(inside, () => drawn.below(limit)),
    inside,
    'what is beyond the last whole span is drawn again',
  );
});

t.test('a least-recently-used pool', async (t) => {
  const pool = new LruPool(10, 4, seededRandom(1));
  const first = [pool.touch(1), pool.touch(2), pool.touch(3)];
  t.same(
    first.flat().sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    'a short group ends the pool',
  );
  pool.touch(1);
  t.same(pool.touch(4), first[1], '2 was longest untouched');
  t.same(pool.touch(1), first[0]);
});

t.test('order trace: ids of what the requests touch, the same on every rank', async (t) => {
  const trace = { path: join(projectRoot, SMALL_TRACE_PATH), requests: 40 };
  const spec = specOf({ order: 'trace', trace, blocks: undefined });
  t.equal(spec.blocks, 64, 'all that fits');
  const { forward } = blockOrder(spec, 0);
  t.ok(isLegal(forward.sourceIds, 64) && isLegal(forward.targetIds, 256));
  t.same(forward, blockOrder(spec, 2).forward);
  t.same(
    [...blockOrder(specOf({ order: 'trace', trace, blocks: 10 }), 0).forward.sourceIds],
    Array.from(forward.sourceIds.subarray(0, 10)),
  );
  const few = { ...trace, requests: 1 };
  const layout = { kind: 'fullyContiguous', numLayers: 1, outerDim: 1, pageSize: 512, innerDim: 1 };
  const [first] = parseTrace(smallTrace()).requests;
  t.equal(specOf({ order: 'trace', trace: few, layout, blocks: undefined }).blocks, first?.hashIds.length);
  t.match(brief(jobIssues(offloadJob({ pools, order: 'trace', trace: few, layout, blocks: 60 }))), [
    '/jobs/0/blocks: 60',
  ]);
  t.match(brief(jobIssues(offloadJob({ order: 'trace', trace: { ...trace, requests: 401 } }))), [
    '/jobs/0/trace/requests: 401',
  ]);
  t.throws(() => blockOrder({ ...spec, trace: { ...trace, blockTokens: 512, sha256: '00' } }, 1), {
    code: 'E_IO',
    message: /same file/,
  });
});

t.test('bad trace lines are named', async (t) => {
  const line = (changes: object) =>
    JSON.stringify({ timestamp: 5, input_length: 600, output_length: 1, hash_ids: [0, 1], ...changes });
  const wrong: [string, RegExp][] = [
    ['{', /not JSON/],
    ['[]', /not an object/],
    [line({ timestamp: 4 }), /timestamp 4, expected a number >= 5/],
    [line({ input_length: 0 }), /input_length 0/],
    [line({ output_length: 1.5 }), /output_length 1.5/],
    [line({ hash_ids: [0] }), /1 hash_ids, expected 2/],
    [line({ hash_ids: [0, -1] }), /-1 in hash_ids/],
    [line({ hash_ids: [] }), /hash_ids \[\]/],
    ['{"timestamp": 5,}', /column 17/],
  ];
  for (const [text, expected] of wrong) {
    const files = { 'bad.jsonl': [line({}), text, line({})].join('\n') };
    const issues = jobIssues(
      offloadJob({ order: 'trace', trace: { path: 'bad.jsonl', requests: 1 } }),
      {},
      files,
    );
    t.match(issues, [{ pointer: '/jobs/0/trace/path', received: /bad.jsonl, line 2: / }]);
    t.match(issues[0]?.received, expected);
  }
  t.match(parseTrace(''), { wrong: [/line 1/] });
  const azure = 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,4808,10\n';
  t.match(parseTrace(azure), {
    wrong: ['line 1: a trace of azure, which names no blocks; expected one with hash ids'],
  });
});

t.test('ids that stand for one block are other blocks behind another prefix', async (t) => {
  const line = (ids: number[]): string =>
    JSON.stringify({
      chat_id: 1,
      parent_chat_id: -1,
      timestamp: 0,
      input_length: 16 * ids.length,
      output_length: 1,
      type: 'text',
      turn: 1,
      hash_ids: ids,
    });
  const { requests, wrong } = parseTrace(
    [
      [7, 8],
      [9, 8],
      [7, 8],
    ]
      .map(line)
      .join('\n'),
  );
  t.same(wrong, []);
  const [first, second, third] = requests.map(({ hashIds }) => hashIds);
  t.same(third, first, 'the same prefix is the same blocks');
  t.not(second?.[1], first?.[1], '8 behind 9 is not 8 behind 7');
});

t.test('the shipped trace is what its generator writes, and like what it mimics', async (t) => {
  t.equal(readFileSync(join(projectRoot, SMALL_TRACE_PATH), 'utf8'), smallTrace(), 'run npm run generate');
  const { requests, wrong } = parseTrace(smallTrace());
  t.same(wrong, []);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const inputs = requests.map(({ inputTokens }) => inputTokens).sort((a, b) => a - b);
  t.ok(Math.abs(mean(inputs) / 12_035 - 1) < 0.05, `mean input ${mean(inputs)}`);
  t.ok(Math.abs((inputs[inputs.length / 2] ?? 0) / 6909 - 1) < 0.05);
  t.equal(inputs.at(-1), 126_195);
  const outputs = requests.map(({ outputTokens }) => outputTokens);
  t.ok(Math.abs(mean(outputs) / 343 - 1) < 0.05, `mean output ${mean(outputs)}`);
  t.equal(Math.max(...outputs), 2000);
  const all = requests.flatMap(({ hashIds }) => hashIds);
  t.ok(Math.abs(1 - new Set(all).size / all.length - 0.366) < 0.01, 'share of blocks seen before');
});

t.test('the published conversation trace', { skip: needsFile(realTrace) }, async (t) => {
  const spec = specOf({ order: 'trace', trace: { path: realTrace, requests: 12_031 }, blocks: undefined });
  t.equal(spec.blocks, 64);
  const wide = { deviceBlocks: 40_000, hostBlocks: 100_000 };
  const layout = { kind: 'fullyContiguous', numLayers: 1, outerDim: 1, pageSize: 512, innerDim: 1 };
  const order = blockOrder(
    specOf({ order: 'trace', trace: { path: realTrace }, layout, pools: wide, blocks: 30_000 }),
    0,
  );
  t.ok(isLegal(order.forward.sourceIds, 40_000) && isLegal(order.forward.targetIds, 100_000));
});
