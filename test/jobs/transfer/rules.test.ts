import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../../runner/job-spec/types.js';
import { planTransfer } from '../../../jobs/transfer/plan.js';
import { transferIssues } from '../../../jobs/transfer/rules.js';
import { parseTrafficMatrix } from '../../../jobs/transfer/traffic-matrix.js';
import { skippedPath } from '../../../jobs/transfer/paths.js';
import type { TransferSpec } from '../../../jobs/transfer/spec.generated.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { givenTransfer, MIXED_GROUPS, resolveGiven } from './given-transfer.js';

const KV = [{ name: 'kv', layers: '0-1', kvHeads: 8, headDimK: 64 }];

type Issues = Readonly<ReturnType<typeof transferIssues>>;

function pointersOf(given: JsonObject, worldSize: number | null = 4, folders: string[] = []): string[] {
  const answer = resolveGiven({ layout: { groups: KV }, ...given } as JsonObject, folders);
  const issues =
    'issues' in answer ? answer.issues : transferIssues(answer.spec as unknown as TransferSpec, worldSize);
  // Issues that are equal are said once.
  return [...new Set(issues.map(({ pointer }) => pointer))];
}

t.test('each bad spec by its pointer', async (t) => {
  const cases: [string, JsonObject, string[]][] = [
    ['good', {}, []],
    ['no model and no groups', { layout: {} }, ['/layout']],
    ['both', { layout: { model: 'llama-3.1-8b', groups: KV } }, ['/layout']],
    ['unknown model', { layout: { model: 'llama-9' } }, ['/layout/model']],
    [
      'heads that do not split',
      { layout: { groups: [{ ...KV[0], kvHeads: 6 }] }, sourceTensorParallel: 4 },
      ['/sourceTensorParallel'],
    ],
    ['pages that do not fit', { targetLayout: { pageSize: 24 } }, ['/targetLayout/pageSize']],
    ['layers beyond the model', { layerRange: [1, 3] }, ['/layerRange']],
    ['empty layer range', { layerRange: [1, 1] }, ['/layerRange']],
    ['alignment of both, said once', { layout: { groups: KV, alignment: 24 } }, ['/layout/alignment']],
    ['alignment', { targetLayout: { alignment: 24 } }, ['/targetLayout/alignment']],
    [
      'blockDim of contiguous blocks',
      { targetLayout: { kind: 'fullyContiguous', blockDim: 'first' } },
      ['/targetLayout/blockDim'],
    ],
    ['more ranks than there are', { targetTensorParallel: 8 }, ['/targetTensorParallel']],
    ['more ranks of the source', { sourceTensorParallel: 8 }, ['/sourceTensorParallel']],
    [
      'pages that cut a compressed entry',
      { layout: { groups: [{ ...KV[0], compression: { how: 'pooled', ratio: 24 } }] } },
      ['/layout/pageSize'],
    ],
    [
      'entries whose bytes change with age',
      {
        layout: { groups: [{ ...KV[0], window: 32, compression: { how: 'aged', ratio: 4 } }] },
        targetLayout: { pageSize: 8 },
      },
      ['/layout/groups'],
    ],
    [
      'pages of the target that cut a compressed entry',
      {
        layout: { groups: [{ ...KV[0], compression: { how: 'pooled', ratio: 24 } }], pageSize: 48 },
        targetLayout: { pageSize: 16 },
      },
      ['/targetLayout/pageSize'],
    ],
    ['a network that is never taken', { transport: 'ipc', networkTransport: ['rc'] }, ['/networkTransport']],
    ['matrix missing', { pattern: 'matrix' }, ['/matrix']],
    ['matrix unread', { pattern: 'matrix', matrix: 'nowhere.txt' }, ['/matrix']],
    ['matrix without its pattern', { matrix: 'm.txt' }, ['/matrix']],
    ['MTP layers of no model', { layout: { groups: KV, mtp: true } }, ['/layout/mtp']],
    ['scales that no head has alone', { layout: { groups: [{ ...KV[0], scaleBytes: 4 }] } }, ['/layout']],
    ['2^31 pages', { blocks: 2 ** 31 - 1, targetLayout: { pageSize: 8 } }, ['/blocks']],
    [
      '2^53 bytes',
      { blocks: 2 ** 31 - 1, layout: { groups: [{ ...KV[0], kvHeads: 2 ** 16, headDimK: 2 ** 10 }] } },
      ['/blocks'],
    ],
  ];
  for (const [name, given, pointers] of cases) t.same(pointersOf(given), pointers, name);
  t.match(resolveGiven({}), { issues: [{ pointer: '/layout', received: 'neither' }] });
  t.same(pointersOf({ pattern: 'pair' }, 3), ['/pattern'], 'pair of three');
  t.same(pointersOf({ pattern: 'pair', targetTensorParallel: 8 }, 8), [], 'one unit sends to itself');
});

t.test('a traffic matrix in the form of kvbench', async (t) => {
  t.same(parseTrafficMatrix('0 1M\n2k\t3\n\n'), [
    [0, 2 ** 20],
    [2048, 3],
  ]);
  const bad: [string, RegExp][] = [
    ['', /line 1: expected a line of cells/],
    ['0 1\n2', /line 2: expected 2 cells/],
    ['0 1.5m\n0 0', /line 1: .*"1.5m" in cell 2/],
    ['0 -1\n0 0', /"-1" in cell 2/],
    ['0 9007199254740993\n0 0', /below 2\^53/],
    ['0 99999999g\n0 0', /below 2\^53/],
    ['0 1\n\n0 0', /line 1: expected 3 cells/],
  ];
  for (const [text, message] of bad) t.throws(() => parseTrafficMatrix(text), message, text);
  await withTempDir(async (folder) => {
    // A block of 16 tokens of 2 layers, K and V of 8 x 64 bf16: 65536 bytes; one byte more is a block more.
    writeFileSync(join(folder, 'm.txt'), '0 65537\n0 0\n');
    const given = { layout: { groups: KV }, pattern: 'matrix', matrix: 'm.txt', op: 'write' };
    const answer = resolveGiven(given, [folder]);
    if ('issues' in answer) throw new Error(JSON.stringify(answer.issues));
    const spec = answer.spec as unknown as TransferSpec;
    t.same(spec.matrix?.blocks, [
      [0, 2],
      [0, 0],
    ]);
    t.same(transferIssues(spec, 2), []);
    const of = (text: string): Issues => {
      writeFileSync(join(folder, 'm.txt'), text);
      const other = resolveGiven(given, [folder]);
      return 'issues' in other ? other.issues : transferIssues(other.spec as unknown as TransferSpec, 2);
    };
    t.match(of('0 0\n0 0\n'), [{ pointer: '/matrix', received: 'a matrix of zeros' }]);
    t.match(of('0 1\n0 -3\n'), [{ pointer: '/matrix', received: /"-3" in cell 2 \(.*m\.txt:2\)/ }]);
    t.same(
      transferIssues(spec, 4).map(({ pointer }) => pointer),
      ['/matrix'],
      'as many lines as units',
    );
    const place = { worldSize: 2, rank: 0, ranksPerNode: 2, device: 'host' as const };
    t.equal(planTransfer(spec, place).payloadBytes, 2 * 65_536);
    t.equal(planTransfer(spec, { ...place, rank: 1 }).payloadBytes, 0);
  });
});

t.test('the width of elements is that of the layout, where the groups do not say it', async (t) => {
  const bytesOf = (layout: JsonObject): unknown =>
    planTransfer(givenTransfer({ layout }), { worldSize: 2, rank: 0, ranksPerNode: 2, device: 'host' })
      .details?.['block_bytes'];
  // 16 tokens of 2 layers, K and V of 8 x 64 elements.
  t.equal(bytesOf({ groups: KV }), 2 * 16 * 2 * 2 * 512, 'two bytes by default');
  t.equal(bytesOf({ groups: KV, dtypeWidthBytes: 1 }), 16 * 2 * 2 * 512);
  t.equal(bytesOf({ groups: [{ ...KV[0], dtypeWidthBytes: 4 }], dtypeWidthBytes: 1 }), 4 * 16 * 2 * 2 * 512);
});

// By hand: a page of 16 tokens keeps 2 layers x 8 heads x (4 + 2) x 2 B and 3 layers x 6 x 2 B for each token.
t.test('the plan against numbers worked out by hand', async (t) => {
  const heads = 16 * 2 * 8 * 6 * 2;
  const latents = 16 * 3 * 6 * 2;
  const place = { worldSize: 4, ranksPerNode: 4, device: 'host' as const };
  const equal = givenTransfer({ layout: { groups: MIXED_GROUPS }, blocks: 5, op: 'write', to: 'host' });
  const plan = planTransfer(equal, { ...place, rank: 2 });
  t.equal(plan.payloadBytes, 5 * (heads + latents));
  t.ok(plan.memoryBytes.device >= 5 * (heads + latents) && plan.memoryBytes.host >= plan.memoryBytes.device);
  t.equal(plan.details?.['block_bytes'], heads + latents);
  // 4 -> 2: rank 0 has a quarter of the heads for both targets, and the latents of one rank of the first.
  const merged = givenTransfer({ sourceTensorParallel: 4, targetTensorParallel: 2, blocks: 4, op: 'write' });
  t.equal(planTransfer(merged, { ...place, rank: 0 }).payloadBytes, 4 * (heads / 4) + 2 * latents);
  // Reads of both ranks of both targets together are every head once and the latents twice.
  const read = { ...merged, op: 'read' as const };
  const all = [0, 1, 2, 3].map((rank) => planTransfer(read, { ...place, rank }).payloadBytes);
  t.equal(
    all.reduce((sum, bytes) => sum + bytes, 0),
    4 * heads + 2 * 4 * latents,
  );
});

t.test('a path that is not there is known before anything is opened', async (t) => {
  const place = { worldSize: 4, ranksPerNode: 2, networkMissing: 'no UCX' };
  t.match(skippedPath({ transport: 'ipc' }, place), /share no memory; use hybrid/);
  t.equal(skippedPath({ transport: 'ipc' }, { ...place, ranksPerNode: 4 }), null);
  t.equal(skippedPath({ transport: 'network' }, { ...place, worldSize: 1 }), null, 'nobody to reach');
  t.match(skippedPath({ transport: 'hybrid' }, place), /no UCX/);
  t.equal(skippedPath({ transport: 'hybrid' }, { ...place, ranksPerNode: 4 }), null);
  t.match(skippedPath({ transport: 'network' }, { ...place, ranksPerNode: 4 }), /no UCX/);
});
