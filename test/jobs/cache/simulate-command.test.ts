import t from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { simulateTrace } from '../../../jobs/cache/report.js';
import type { SimulationQuestion } from '../../../runner/job/simulation.js';
import { runCli } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { parseJson } from '../../helpers/json.js';
import { mooncakeLine } from '../../helpers/traces.js';

const small = 'configs/traces/conversation-small.jsonl';

t.test('simulate: a table, a CSV of all capacities, JSON', async (t) => {
  const table = await runCli(['simulate', small, '--capacity', '100', '--policy', 'arc', 'belady']);
  t.match(table, { status: 0, stderr: '' });
  t.match(table.stdout, /400 requests/);
  t.match(table.stdout, /short last blocks cached; cold start/);
  for (const policy of ['lru', 'arc', 'belady']) t.match(table.stdout, new RegExp(`^${policy} +100 `, 'm'));

  const csv = await runCli(['simulate', small, '--all-capacities', '--format', 'csv']);
  const rows = parse(csv.stdout, { columns: true }) as Record<string, string>[];
  const last = rows.at(-1);
  t.equal(last?.['capacity_blocks'], 'unbounded');
  t.equal(
    last?.['prefix_hits'],
    rows.at(-2)?.['prefix_hits'],
    'the largest that counts is as good as no bound',
  );
  const hits = rows.map((row) => Number(row['prefix_hits']));
  t.ok(
    hits.length > 10 && hits.every((count, at) => at === 0 || count >= (hits[at - 1] ?? 0)),
    'more never hits less',
  );

  const json = await runCli(['simulate', small, '--warmup-requests', '100', '--format', 'json']);
  const { totals, definition } = parseJson<Record<string, Record<string, unknown>>>(json.stdout);
  t.match(
    { totals, definition },
    { totals: { requests: 300 }, definition: { start: 'warm: 100 requests before' } },
  );
});

t.test(
  'simulate: device, host and disk together hit what one cache of the largest would, by tier',
  async (t) => {
    const args = ['simulate', small, '--tier-blocks', '300', '1000', '9000', '--block-bytes', '1000000'];
    const table = await runCli(args);
    t.match(table, { status: 0, stdout: /^host +1,000 /m });
    const json = await runCli([...args, '--format', 'json']);
    const { tiers, rows } = parseJson<Record<'tiers' | 'rows', Record<string, number>[]>>(json.stdout);
    const sum = tiers.reduce((total, { hits = 0 }) => total + hits, 0);
    t.equal(sum, rows.at(-1)?.['hits'], 'nothing is lost where the disk holds all');
    t.ok((tiers[1]?.['loads'] ?? 0) > 0 && (tiers[2]?.['loads'] ?? 0) > 0);
    t.equal(tiers[1]?.['loadBytes'], 1e6 * (tiers[1]?.['loads'] ?? 0));
    t.equal(tiers[1]?.['loads'], tiers[1]?.['hits']);
    const tiny = await runCli(['simulate', small, '--tier-blocks', '100']);
    t.match(tiny.stdout, /[\d,]+ blocks of requests larger than the device were not kept/);
  },
);

t.test('simulate: a plot that stands alone', async (t) => {
  const { status, stdout } = await runCli([
    'simulate',
    small,
    '--policy',
    's3fifo',
    '--capacity',
    '100',
    '1000',
    '--format',
    'svg',
  ]);
  t.equal(status, 0);
  t.match(stdout, /^<svg /);
  for (const text of ['conversation-small.jsonl', 's3fifo', 'blocks of the cache', 'prefix hits'])
    t.match(stdout, text);
  const used = new Set(stdout.match(/var\(--[a-z0-9]+\)/g));
  for (const color of used) t.match(stdout, `${color.slice(4, -1)}:`, `${color} is set in the file itself`);
});

const QUESTION: Omit<SimulationQuestion, 'trace'> = {
  policies: [],
  capacities: [],
  tierBlocks: [],
  tierPolicy: 'lru',
  minUses: 1,
  blockBytes: null,
  ttlSeconds: null,
  blockTokens: null,
  skip: 0,
  limit: null,
  warmupRequests: 0,
  shortBlock: 'cached',
  onBadLine: 'refuse',
  allCapacities: false,
  format: 'table',
};

t.test('simulate: what a table notes of lines, ids, short blocks and tiers', async (t) => {
  await withTempDir(async (folder) => {
    const path = join(folder, 'bailian.jsonl');
    const line = (ids: string, input = 16 * ids.split(',').length): string =>
      mooncakeLine(1, input, ids, ', "chat_id": 1, "parent_chat_id": -1');
    // The last block of the first request is short; id 2 follows three different prefixes.
    const lines = [line('1, 2', 20), 'no JSON', line('3, 2'), line('2, 1'), line('1, 2')];
    writeFileSync(path, lines.join('\n'));
    const asked = { ...QUESTION, trace: path, onBadLine: 'count', tierBlocks: [2, 4], minUses: 2 } as const;
    const table = await simulateTrace(asked);
    for (const note of [
      /^1 invalid lines were skipped\.$/m,
      /^3 ids stand for 6 prefix blocks: some ids follow different prefixes, so ids were chained\.$/m,
      /^8 blocks of 16 tokens, 6 of them distinct; short last blocks cached; cold start$/m,
      /^6 blocks were not offloaded: every block of the tier below was in use, or --min-uses was not reached$/m,
    ])
      t.match(table, note);
    const shorter = await simulateTrace({ ...asked, shortBlock: 'not-cached' });
    t.match(
      shorter,
      /^7 blocks of 16 tokens, 6 of them distinct; short last blocks not-cached; cold start$/m,
    );
  });
});

t.test('simulate: of a trace that names no blocks every count is 0', async (t) => {
  await withTempDir(async (folder) => {
    const path = join(folder, 'azure.csv');
    writeFileSync(path, 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,4808,10\n');
    const asked = { ...QUESTION, trace: path, shortBlock: 'not-cached', tierBlocks: [5] } as const;
    const [row] = parse(await simulateTrace({ ...asked, format: 'csv' }), { columns: true }) as unknown[];
    t.match(row, {
      format: 'azure',
      block_tokens: '',
      requests: '1',
      blocks: '0',
      tokens: '4808',
      prefix_hits: '0',
    });
    const { tiers } = parseJson<{ tiers: unknown[] }>(await simulateTrace({ ...asked, format: 'json' }));
    t.match(tiers, [{ tier: 'device', blocks: 5, hits: 0, hitPct: 0 }]);
  });
});

t.test('simulate: what cannot be answered is refused', async (t) => {
  await withTempDir(async (folder) => {
    const azure = join(folder, 'azure.csv');
    writeFileSync(azure, 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,4808,10\n');
    t.match(await runCli(['simulate', azure]), {
      status: 0,
      stdout: /names no blocks, so reuse cannot be seen/,
    });
    const cases: [string[], RegExp][] = [
      [
        [small, '--policy', 'fifo', '--capacity', '5'],
        /^railrunner: E_USAGE: --policy fifo: expected lru, s3fifo/,
      ],
      [[small, '--policy', 'arc'], /E_USAGE: --policy arc: expected --capacity with it/],
      [[small, '--capacity', '0'], /--capacity: expected a whole number from 1/],
      [
        [small, '--policy', 'ttl', '--capacity', '5', '--ttl-seconds', '0'],
        /--ttl-seconds: expected a number above 0/,
      ],
      [
        [small, '--tier-blocks', '0', '5'],
        /--tier-blocks: expected at least 1 block for the device, received 0/,
      ],
      [
        [small, '--tier-blocks', '1', '2', '3', '4'],
        /--tier-blocks: expected blocks of device, host and disk, received 4/,
      ],
      [[small, '--tier-blocks', '5', '--tier-policy', 'fifo'], /E_USAGE: --tier-policy fifo: expected lru/],
      [[join(folder, 'none')], /E_TRACE: .*there is no such file/],
    ];
    for (const [args, message] of cases)
      t.match(await runCli(['simulate', ...args]), { status: 2, stderr: message });
  });
});
