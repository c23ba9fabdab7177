/** Trace files as people have them: marks, line ends, blank lines, 64-bit ids, other block sizes, other folders. */
import t from 'tap';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { JOB_KINDS } from '../../../jobs/index.js';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import { parseTrace } from '../../../jobs/kv/trace.js';
import { loadSpec } from '../../../runner/job-spec/load.js';
import { runCli } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { jobIssues, specOfJob, offloadJob } from '../../runner/job-spec/spec-fixture.js';

const layout = { kind: 'fullyContiguous', numLayers: 1, outerDim: 1, pageSize: 16, innerDim: 1 };
const pools = { deviceBlocks: 1024, hostBlocks: 1024 };

function traceJob(trace: Record<string, unknown> = {}) {
  const { blocks: _, ...job } = offloadJob({
    pools,
    layout,
    order: 'trace',
    trace: { path: 't.jsonl', ...trace },
  });
  return job;
}

function resolved(text: string, trace: Record<string, unknown> = {}) {
  return specOfJob<KvSpec>(traceJob(trace), {}, { 't.jsonl': text });
}

const line = (inputTokens: number, hashIds: string) =>
  `{"timestamp": 0, "input_length": ${inputTokens}, "output_length": 5, "hash_ids": [${hashIds}]}`;

t.test('64-bit ids are different ids', async (t) => {
  const text = `${line(1024, '18446744073709551615, 9007199254740993')}\n${line(512, '9007199254740992')}\n`;
  t.strictSame(
    parseTrace(text).requests.map(({ hashIds }) => hashIds),
    [[18446744073709551615n, 9007199254740993n], [9007199254740992n]],
  );
  t.equal(resolved(text).blocks, 3 * (512 / 16));
  const [beyond] = jobIssues(traceJob(), {}, { 't.jsonl': line(512, '18446744073709551616') });
  t.match(
    beyond?.received,
    /18446744073709551616 in hash_ids, expected whole numbers from 0 to 18446744073709551615/,
  );
});

t.test('a byte order mark, CRLF and blank lines mean nothing', async (t) => {
  const plain = resolved(`${line(1000, '1, 2')}\n${line(100, '3')}\n`);
  for (const text of [
    `\ufeff${line(1000, '1, 2')}\n${line(100, '3')}`,
    `${line(1000, '1, 2')}\r\n\r\n${line(100, '3')}\r\n\r\n`,
    `\n${line(1000, '1, 2')}\n  \n${line(100, '3')}\n\n`,
  ]) {
    t.equal(resolved(text).blocks, plain.blocks);
  }
  const [issue] = jobIssues(traceJob(), {}, { 't.jsonl': `\n${line(1, '1')}\n\n{` });
  t.match(issue?.received, /^t\.jsonl, line 4: not JSON: expected .* at column 2/, 'blank lines count');
});

t.test('tokens per hash id: said, or what the file leaves', async (t) => {
  t.equal(resolved(line(1000, '1, 2')).trace?.blockTokens, 512);
  const derived = resolved(line(33, '1, 2, 3'));
  t.equal(derived.trace?.blockTokens, 16, 'the one power of two that fits');
  t.equal(derived.blocks, 3, 'a hash id stands for one page of 16 tokens');
  t.equal(resolved(line(33, '1, 2, 3'), { blockTokens: 15 }).trace?.blockTokens, 15);
  t.equal(resolved(line(1024, '1'), { blockTokens: 1024 }).blocks, 1024 / 16);
  const [several] = jobIssues(traceJob(), {}, { 't.jsonl': line(1000, '1') });
  t.match(several, {
    received: 't.jsonl, line 1: 1 hash_ids, expected 2: one per 512 tokens of input_length 1000',
    hint: 'every line fits with 1000 or more tokens per hash id: set trace.blockTokens',
  });
  const odd = `${line(33, '1, 2, 3')}\n${line(33, '1, 2')}\n`;
  t.match(
    jobIssues(traceJob(), {}, { 't.jsonl': odd })[0]?.hint,
    /no number of tokens per hash id fits every line/,
  );
  t.match(jobIssues(traceJob({ blockTokens: 8 }), {}, { 't.jsonl': line(33, '1, 2, 3') })[0], {
    received: /expected 5: one per 8 tokens/,
    hint: /11 to 16 tokens/,
  });
});

t.test('a file of another kind is told by its first lines', async (t) => {
  const [issue, ...others] = jobIssues(traceJob(), {}, { 't.jsonl': '{"prompt": "a"}\n' });
  t.match(issue?.received, /^t\.jsonl, line 1: timestamp nothing, expected a number/);
  t.same(others, []);
  const misfits = Array(12).fill(line(33, '1, 2')).join('\n');
  const issues = jobIssues(traceJob({ blockTokens: 8 }), {}, { 't.jsonl': misfits });
  t.equal(issues.length, 10);
  t.match(issues[9]?.received, /^t\.jsonl, line 10: 2 hash_ids, expected 5: one per 8 tokens/);
});

t.test('one digest from every working folder, and other ranks still find the file', async (t) => {
  await withTempDir(async (folder) => {
    mkdirSync(join(folder, 'specs', 'traces'), { recursive: true });
    const path = join(folder, 'specs', 'spec.json');
    writeFileSync(join(folder, 'specs', 'traces', 't.jsonl'), `${line(100, '1')}\n`);
    writeFileSync(path, JSON.stringify({ device: 'host', jobs: [traceJob({ path: 'traces/t.jsonl' })] }));
    const places: [string, string][] = [
      [folder, 'specs/spec.json'],
      [join(folder, 'specs'), 'spec.json'],
      ['/', path],
    ];
    const digests = new Set<string | undefined>();
    for (const [cwd, name] of places) {
      const { stdout, stderr } = await runCli(['validate', name], { cwd });
      t.equal(stderr, '');
      digests.add(/digest (\w+)/.exec(stdout)?.[1]);
    }
    t.equal(digests.size, 1, 'started from three folders');
    const spec = loadSpec(path, { kinds: JOB_KINDS });
    t.equal((spec.points[0]?.spec['trace'] as { path?: string } | undefined)?.path, 'traces/t.jsonl');
    t.equal(Object.keys(spec.files).length, 1);
    const ended = await runCli(['run', 'specs/spec.json', '--out', 'out', '--run-id', 'r'], { cwd: folder });
    t.equal(ended.status, 0, ended.stderr);
  });
});
