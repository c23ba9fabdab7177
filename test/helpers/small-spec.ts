/** A spec whose points take milliseconds: what tests of the engine run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A block of 8 KiB: what tests of the engine and of faults move. */
export const SMALL_LAYOUT = {
  kind: 'fullyContiguous',
  numLayers: 2,
  outerDim: 2,
  pageSize: 16,
  innerDim: 64,
  dtypeWidthBytes: 2,
} as const;

export interface SmallSpecOptions {
  readonly numPoints?: number;
  readonly iterations?: number;
  readonly timeoutSeconds?: number;
  /** Default host. */
  readonly device?: 'host' | 'cuda' | 'auto';
  readonly allowSharedDevice?: boolean;
  readonly job?: Readonly<Record<string, unknown>>;
}

/** One offload job, a point for each of `numPoints` seeds; written to `folder`/spec.json, whose path is returned. */
export function writeSmallSpec(folder: string, options: SmallSpecOptions = {}): string {
  const seeds = Array.from({ length: options.numPoints ?? 2 }, (_, index) => index + 1);
  const spec = {
    name: 'small',
    device: options.device ?? 'host',
    ...(options.allowSharedDevice ? { allowSharedDevice: true } : {}),
    defaults: {
      warmup: 1,
      iterations: options.iterations ?? 5,
      timeoutSeconds: options.timeoutSeconds ?? 30,
      probe: false,
    },
    jobs: [
      {
        id: 'down',
        kind: 'offload',
        from: 'device',
        to: 'host',
        layout: SMALL_LAYOUT,
        pools: { deviceBlocks: 8, hostBlocks: 8 },
        blocks: 4,
        order: 'shuffled',
        sweep: { seed: seeds },
        ...options.job,
      },
    ],
  };
  const path = join(folder, 'spec.json');
  writeFileSync(path, JSON.stringify(spec, null, 2));
  return path;
}
