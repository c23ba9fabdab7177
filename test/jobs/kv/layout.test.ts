import t from 'tap';
import type { KvLayout } from '../../../jobs/kv/kv-spec.js';
import { layoutSizes, storedLayout } from '../../../jobs/kv/layout.js';

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

t.test('golden sizes: region 64, layer 128, block 256', async (t) => {
  t.match(layoutSizes(golden, 3), {
    regionBytes: 64,
    outerStrideBytes: 64,
    layerStrideBytes: 128,
    naturalBlockBytes: 256,
    blockStrideBytes: 256,
    numBuffers: 1,
    allocationBytes: 768,
  });
  t.match(layoutSizes(blockFirst, 3), {
    outerStrideBytes: 64,
    blockStrideBytes: 128,
    numBuffers: 2,
    bufferBytes: 512,
    totalBytes: 1024,
  });
  t.match(layoutSizes(blockSecond, 3), {
    outerStrideBytes: 192,
    blockStrideBytes: 64,
    numBuffers: 2,
    bufferBytes: 512,
    totalBytes: 1024,
  });
});

t.test('alignment pads blocks; layers start at 512 bytes; a start beyond 256 bytes takes room', async (t) => {
  const layout = { ...golden, innerDim: 9, alignment: 512 };
  t.match(layoutSizes(layout, 3), {
    naturalBlockBytes: 288,
    blockStrideBytes: 512,
    bufferBytes: 3 * 512,
    allocationBytes: 3 * 512 + 512,
  });
  t.equal(layoutSizes({ ...layout, alignment: 256 }, 3).allocationBytes, 3 * 512);
  const first = layoutSizes({ ...blockFirst, alignment: 512 }, 3);
  t.match(first, { outerStrideBytes: 64, blockStrideBytes: 512, bufferBytes: 1536 });
  const second = layoutSizes({ ...blockSecond, alignment: 512 }, 3);
  t.match(second, { outerStrideBytes: 1536, blockStrideBytes: 512, bufferBytes: 3072 });
  t.equal(second.allocationBytes, 2 * 3072 + 512);
});

interface Region {
  readonly block: number;
  readonly layer: number;
  readonly outer: number;
}

/** Where a region of a pool of 3 blocks begins, by the strides. */
function placeOf(layout: KvLayout, { block, layer, outer }: Region): { buffer: number; offsetBytes: number } {
  const { blockStrideBytes, layerStrideBytes, outerStrideBytes } = layoutSizes(layout, 3);
  return {
    buffer: layout.kind === 'layerSeparate' ? layer : 0,
    offsetBytes: block * blockStrideBytes + layer * layerStrideBytes + outer * outerStrideBytes,
  };
}

t.test('no two regions of a pool overlap, and all lie inside', async (t) => {
  for (const layout of [golden, blockFirst, blockSecond]) {
    for (const alignment of [1, 32, 256]) {
      const aligned = { ...layout, alignment };
      const { regionBytes, bufferBytes } = layoutSizes(aligned, 3);
      const taken = new Set<string>();
      for (let word = 0; word < 3 * 2 * 2; word++) {
        const index = { block: Math.floor(word / 4), layer: Math.floor(word / 2) % 2, outer: word % 2 };
        const { buffer, offsetBytes } = placeOf(aligned, index);
        for (let byte = 0; byte < regionBytes; byte++) taken.add(`${buffer}:${offsetBytes + byte}`);
        t.ok(offsetBytes + regionBytes <= bufferBytes);
      }
      t.equal(taken.size, 12 * regionBytes);
    }
  }
});

t.test('what the disk asks for', async (t) => {
  t.equal(storedLayout(golden, 'disk').alignment, 4096);
  t.equal(storedLayout({ ...golden, alignment: 8192 }, 'disk').alignment, 8192);
  t.equal(storedLayout(golden, 'host').alignment, 1);
});
