import t from 'tap';
import type { KvLayout } from '../../../jobs/kv/spec.generated.js';
import {
  blockBytes,
  poolSizes,
  regionGroups,
  storedLayout,
  type PoolSection,
  type PoolSizes,
} from '../../../jobs/kv/layout.js';

const golden: KvLayout = {
  kind: 'fullyContiguous',
  blockDim: 'second',
  numLayers: 2,
  outerDim: 2,
  pageSize: 4,
  innerDim: 8,
  dtypeWidthBytes: 2,
  alignment: 1,
};
const blockFirst: KvLayout = { ...golden, kind: 'layerSeparate', blockDim: 'first' };
const blockSecond: KvLayout = { ...golden, kind: 'layerSeparate', blockDim: 'second' };

function sizesOf(layout: KvLayout, numBlocks: number): PoolSizes {
  return poolSizes(layout, [{ groups: regionGroups(layout), numBlocks }]);
}

t.test('golden sizes: region 64, layer 128, block 256', async (t) => {
  const groups = regionGroups(golden);
  t.same(groups, [{ name: '', layers: [0, 1], regionBytes: [64, 64], window: null }]);
  t.equal(blockBytes(groups), 256);
  t.equal(blockBytes(groups, 1, 2), 128);
  t.same(sizesOf(golden, 3), { totalBytes: 768, allocationBytes: 768 });
  t.same(sizesOf(blockFirst, 3), { totalBytes: 1024, allocationBytes: 1024 });
  t.same(sizesOf(blockSecond, 3), { totalBytes: 1024, allocationBytes: 1024 });
});

t.test('alignment pads blocks; layers start at 512 bytes; a start beyond 256 bytes takes room', async (t) => {
  const layout = { ...golden, innerDim: 9, alignment: 512 };
  t.same(sizesOf(layout, 3), { totalBytes: 3 * 512, allocationBytes: 3 * 512 + 512 });
  t.equal(sizesOf({ ...layout, alignment: 256 }, 3).allocationBytes, 3 * 512);
  t.equal(sizesOf({ ...blockFirst, alignment: 512 }, 3).totalBytes, 2 * 1536);
  t.same(sizesOf({ ...blockSecond, alignment: 512 }, 3), {
    totalBytes: 2 * 3072,
    allocationBytes: 2 * 3072 + 512,
  });
});

t.test('groups follow each other; a section of its own starts as a buffer does', async (t) => {
  const full = { name: 'full', layers: [2, 5], regionBytes: [384, 256] };
  const window = { name: 'window', layers: [0, 1, 3, 4], regionBytes: [768, 512] };
  const together: PoolSection[] = [{ groups: [full, window], numBlocks: 4 }];
  const apart: PoolSection[] = [
    { groups: [full], numBlocks: 5 },
    { groups: [window], numBlocks: 2 },
  ];
  t.equal(blockBytes([full, window]), 6400);
  t.equal(blockBytes([full, window], 2, 3), 640, 'layer 2 is only of full');
  t.equal(poolSizes(golden, together).totalBytes, 4 * 6400);
  t.equal(poolSizes(golden, apart).totalBytes, 6656 + 2 * 5120, '5 x 1280, and on to a multiple of 512');
  t.equal(poolSizes(blockSecond, together).totalBytes, 2 * 2560 + 4 * 5120);
  const padded = { ...blockSecond, alignment: 512 };
  t.equal(poolSizes(padded, together).totalBytes, 2 * 4 * 1024 + 4 * 4 * (1024 + 512));
});

t.test('what the disk asks for', async (t) => {
  t.equal(storedLayout(golden, 'disk').alignment, 4096);
  t.equal(storedLayout({ ...golden, alignment: 8192 }, 'disk').alignment, 8192);
  t.equal(storedLayout(golden, 'host').alignment, 1);
});
