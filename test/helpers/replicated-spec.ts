/** Replicated jobs whose points take milliseconds, for tests on real ranks. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Json = Readonly<Record<string, unknown>>;

/** A block is 32 KiB; nothing divides evenly, so that chunks and shares differ in size. */
const LAYOUT = { kind: 'fullyContiguous', numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 128 };

export const BLOCKS = 37;
export const PAYLOAD_BYTES = BLOCKS * 4 * 2 * 16 * 128 * 2;

const COMMON = { layout: LAYOUT, blocks: BLOCKS, order: 'shuffled' };
const STRATEGIES = ['rootBroadcast', 'pipelined', 'scatterAllgather', 'ipc', 'independent', 'auto'];

export const everySource: readonly Json[] = [
  {
    ...COMMON,
    id: 'host',
    kind: 'onboard',
    from: 'host',
    to: 'device',
    mode: 'replicated',
    root: 1,
    pools: { deviceBlocks: 48, hostBlocks: 64 },
    sweep: { strategy: STRATEGIES, 'layout.kind': ['fullyContiguous', 'layerSeparate'] },
  },
  {
    ...COMMON,
    id: 'disk',
    kind: 'broadcast',
    from: 'disk',
    root: 2,
    pools: { deviceBlocks: 48, diskBlocks: 48 },
    sweep: { strategy: STRATEGIES },
  },
  {
    ...COMMON,
    id: 'device',
    kind: 'broadcast',
    from: 'device',
    root: 3,
    layerRange: [1, 3],
    pools: { deviceBlocks: 48 },
    sweep: { strategy: STRATEGIES.filter((strategy) => strategy !== 'independent') },
  },
  {
    ...COMMON,
    id: 'down',
    kind: 'offload',
    from: 'device',
    to: 'host',
    mode: 'replicated',
    root: 1,
    pools: { deviceBlocks: 48, hostBlocks: 64 },
  },
];

/** A point of that strategy and one behind it, which must run whatever became of the first. */
export function twoPoints(strategy: string, id = 'host'): readonly Json[] {
  const job = everySource.find((one) => one['id'] === id);
  return [{ ...job, sweep: { strategy: [strategy, 'auto'] } }];
}

export function writeReplicatedSpec(folder: string, jobs: readonly Json[], timeoutSeconds = 30): string {
  const defaults = { warmup: 1, iterations: 6, timeoutSeconds };
  const path = join(folder, 'spec.json');
  writeFileSync(path, JSON.stringify({ name: 'replicated', device: 'host', defaults, jobs }, null, 2));
  return path;
}
