import t from 'tap';
import { poolSizes, storedLayout, type PoolSection } from '../../jobs/kv/layout.js';
import { addon } from '../../runner/native/binding.js';
import type {
  CopyStrategy,
  NativeDevice,
  NativePool,
  Tier,
  TransferOptions,
} from '../../runner/native/types/index.js';

const LAYOUT = {
  kind: 'fullyContiguous',
  blockDim: 'second',
  alignment: 4096,
  groups: [{ name: '', layers: [0, 1, 2], regionBytes: [800, 800], section: 0 }],
} as const;
const BASE = { seed: 11, owner: 2, poisonSalt: 3 };
const EMPTY = { ...BASE, filled: new Int32Array() };
const SOURCE = Int32Array.of(3, 1, 4);
const TARGET = Int32Array.of(5, 9, 2);

function pool(device: NativeDevice, tier: Tier): Promise<NativePool> {
  return device.createPool({
    tier,
    layout: LAYOUT,
    sectionBlocks: [12],
    diskPath: '/tmp',
    threads: 1,
    sharedWithPeers: false,
  });
}

function options(source: NativePool, target: NativePool, strategy: CopyStrategy = 'auto'): TransferOptions {
  const lane = { source, target, sourceIds: SOURCE, targetIds: TARGET, layerBegin: 0, layerEnd: 3 };
  const batching = { maxTransferBatchSize: 2, maxConcurrentTransfers: 2, chunkBytes: 0, maxCtas: 8 };
  return { lanes: [lane], strategy, ...batching, queueDepth: 4, requestBytes: 8192, threads: 1, faults: [] };
}

t.test('a transfer through the addon: bytes of the plan, samples, a check that says where', async (t) => {
  const device = await addon().openDevice('host', 0);
  const [source, target] = [await pool(device, 'device'), await pool(device, 'disk')];
  await source.prepare({ ...BASE, filled: null });
  await target.prepare(EMPTY);
  const transfer = await device.openTransfer(null, options(source, target));
  const { phases, stopped } = await transfer.measure({ warmup: 1, iterations: 7, freeRunning: false });
  t.equal(stopped, false);
  t.match(phases, [{ phase: 'total', timing: 'host', direction: 'device->disk' }]);
  t.same(phases[0]?.bytes, { payload: 3 * 4800, self: 0, ipc: 0, network: 0, pcie: 0, disk: 3 * 8192 });
  t.equal(phases[0]?.timesUs.length, 7);
  const [facts] = await transfer.facts();
  t.match(facts, {
    direction: 'device->disk',
    strategyUsed: /^(kernel|memcpy)$/, // whichever was faster here
    batchesMerged: false,
  });
  t.match(facts?.diskIo, /^(io_uring|threads)(\+O_DIRECT| buffered) qd=4$/);
  const moved = { from: 'device', sourceIds: SOURCE, targetIds: TARGET, layerBegin: 0, layerEnd: 3 } as const;
  const clean = await target.check(EMPTY, [moved], false);
  t.same([clean.wrong, clean.firstBad], [0, '']);
  t.equal(clean.checked * 8, target.geometry.totalBytes);

  const [group] = target.geometry.groups;
  t.match(group?.outers, [{ beginBytes: 0 }, { beginBytes: 800, blockStrideBytes: 8192 }]);
  const at = 9 * 8192 + (group?.layerStrideBytes ?? 0) + 16;
  await target.writeBytes(at, Uint8Array.of(0));
  const damaged = await target.check(EMPTY, [moved], false);
  t.equal(damaged.wrong, 1);
  t.match(damaged.firstBad, /^disk block 9 layer 1 outer 0 word 2: expected 0x\w+, found 0x\w+00$/);
  const swapped = { ...moved, sourceIds: Int32Array.of(1, 3, 4) };
  t.match((await target.check(EMPTY, [swapped], true)).firstBad, /^disk block 5 /, 'samples see a swap');
  await transfer.close(false, 1000);
  for (const handle of [source, target]) await handle.close();
  await device.close();
});

const SECTIONS: Readonly<Record<string, readonly PoolSection[]>> = {
  uniform: [{ groups: [{ name: '', layers: [0, 1, 2], regionBytes: [616, 616] }], numBlocks: 7 }],
  together: [
    {
      groups: [
        { name: 'full', layers: [2], regionBytes: [384, 256] },
        { name: 'window', layers: [0, 1], regionBytes: [768, 512] },
        { name: 'index', layers: [0, 1, 2], regionBytes: [132] },
      ],
      numBlocks: 7,
    },
  ],
  apart: [
    { groups: [{ name: 'full', layers: [2], regionBytes: [384, 256] }], numBlocks: 7 },
    { groups: [{ name: 'window', layers: [0, 1], regionBytes: [768, 512] }], numBlocks: 3 },
    { groups: [{ name: 'near', layers: [3], regionBytes: [132] }], numBlocks: 2 },
  ],
};

t.test('a pool takes the very bytes that the plan says, in every tier and layout', async (t) => {
  const device = await addon().openDevice('host', 0);
  const kinds = [
    { kind: 'fullyContiguous', blockDim: 'second' },
    { kind: 'layerSeparate', blockDim: 'first' },
    { kind: 'layerSeparate', blockDim: 'second' },
  ] as const;
  const numbers = { numLayers: 3, outerDim: 2, pageSize: 4, innerDim: 77, dtypeWidthBytes: 2 } as const;
  const rest = { diskPath: '/tmp', threads: 1, sharedWithPeers: false };
  for (const [sectionsName, sections] of Object.entries(SECTIONS)) {
    const groups = sections.flatMap((each, section) => each.groups.map((group) => ({ ...group, section })));
    const sectionBlocks = sections.map(({ numBlocks }) => numBlocks);
    for (const kind of kinds) {
      for (const alignment of [1, 256, 512, 8192]) {
        for (const tier of ['device', 'host', 'disk'] as const) {
          const layout = { ...kind, alignment, groups };
          const made = await device.createPool({ tier, layout, sectionBlocks, ...rest });
          const planned = poolSizes(storedLayout({ ...numbers, ...kind, alignment }, tier), sections);
          const name = `${sectionsName} ${kind.kind} ${kind.blockDim} ${alignment} ${tier}`;
          t.equal(made.geometry.totalBytes, planned.totalBytes, name);
          const asked = tier === 'disk' ? planned.totalBytes : planned.allocationBytes;
          t.equal(made.geometry.allocationBytes, asked, name);
          await made.close();
        }
      }
    }
  }
  await device.close();
});

t.test('what is refused has its code and says what to do', async (t) => {
  const device = await addon().openDevice('host', 0);
  const [source, target] = [await pool(device, 'device'), await pool(device, 'host')];
  const plain = options(source, target);
  const [lane] = plain.lanes;
  if (!lane) return;
  const refused: [TransferOptions, string, RegExp][] = [
    [{ ...plain, lanes: [{ ...lane, sourceIds: Int32Array.of(12, 0, 1) }] }, 'E_BLOCK_IDS', /0 to 11/],
    [{ ...plain, lanes: [{ ...lane, sourceIds: Int32Array.of(-1, 0, 1) }] }, 'E_BLOCK_IDS', /negative/],
    [{ ...plain, lanes: [{ ...lane, targetIds: Int32Array.of(1, 0, 1) }] }, 'E_BLOCK_IDS', /twice/],
    [{ ...plain, lanes: [{ ...lane, layerEnd: 4 }] }, 'E_BLOCK_IDS', /layer range/],
    [{ ...plain, lanes: [{ ...lane, source: target }] }, 'E_ARGUMENT', /from host to host/],
    [{ ...plain, strategy: 'memcpyBatch' }, 'E_UNSUPPORTED_HERE', /memcpy, kernel and auto/],
  ];
  for (const [request, code, message] of refused) {
    await t.rejects(async () => device.openTransfer(null, request), { code, message });
  }
  t.throws(() => device.openTransfer(null, { ...plain, lanes: [{ ...lane, source: {} as NativePool }] }), {
    code: 'E_ARGUMENT',
    message: /NativePool/,
  });
  const huge = {
    tier: 'host',
    layout: LAYOUT,
    sectionBlocks: [2 ** 31 - 1],
    diskPath: '',
    threads: 1,
    sharedWithPeers: true,
  } as const;
  await t.rejects(device.createPool(huge), { code: 'E_ALLOCATION', message: /are available/ });
  const transfer = await device.openTransfer(null, plain);
  await source.close();
  await source.close();
  await t.rejects(transfer.facts(), { code: 'E_STATE' });
  await t.rejects(source.prepare(EMPTY), { code: 'E_STATE' });
  await transfer.close(false, 1000);
  await transfer.close(false, 1000);
  await target.close();
  await device.close();
  t.throws(() => device.createPool({ ...huge, sectionBlocks: [1] }), { code: 'E_STATE' });
});
