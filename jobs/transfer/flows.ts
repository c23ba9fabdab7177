/**
 * Who sends how many blocks to whom. A unit is max(sourceTensorParallel, targetTensorParallel) consecutive ranks: it
 * holds one or more source instances and one or more target instances, of one kind exactly one. Patterns say which unit
 * sends to which; inside a pair of units, blocks of several sources go to the one target, and those of one source are
 * divided among the targets.
 */
import type { TransferSpec } from './spec.generated.js';

export type FlowSpec = Pick<
  TransferSpec,
  'pattern' | 'blocks' | 'sourceTensorParallel' | 'targetTensorParallel'
> & {
  readonly matrix?: Pick<NonNullable<TransferSpec['matrix']>, 'blocks'>;
};

/** Blocks are counted by the larger of the two page sizes: both sides move whole blocks. */
export interface Flow {
  /** Index of the source instance: ranks [source x sourceTensorParallel, ...). */
  readonly source: number;
  readonly target: number;
  readonly blocks: number;
  /** Places in the two instances' pools, before any shuffling: blocks follow each other. */
  readonly sourceFirst: number;
  readonly targetFirst: number;
}

export interface FlowPlan {
  readonly flows: readonly Flow[];
  /** Blocks that leave each source instance and arrive at each target instance: the sizes of their pools. */
  readonly sourceBlocks: readonly number[];
  readonly targetBlocks: readonly number[];
}

export function unitSize(spec: Pick<FlowSpec, 'sourceTensorParallel' | 'targetTensorParallel'>): number {
  return Math.max(spec.sourceTensorParallel, spec.targetTensorParallel);
}

/** Blocks that each source instance of unit i sends to unit j. */
function unitBlocks(spec: FlowSpec, units: number): (from: number, to: number) => number {
  const { pattern, blocks } = spec;
  if (pattern === 'matrix') return (from, to) => spec.matrix?.blocks[from]?.[to] ?? 0;
  // A single unit has nobody else: its blocks stay on its ranks.
  if (units === 1) return () => blocks;
  const sends: Readonly<Record<Exclude<typeof pattern, 'matrix'>, (from: number, to: number) => boolean>> = {
    pair: (from, to) => from % 2 === 0 && to === from + 1,
    ring: (from, to) => to === (from + 1) % units,
    manyToOne: (from, to) => to === 0 && from !== 0,
    oneToMany: (from, to) => from === 0 && to !== 0,
    allToAll: (from, to) => from !== to,
  };
  return (from, to) => (sends[pattern](from, to) ? blocks : 0);
}

export function planFlows(spec: FlowSpec, worldSize: number): FlowPlan {
  const size = unitSize(spec);
  const units = Math.floor(worldSize / size);
  const sourcesPerUnit = size / spec.sourceTensorParallel;
  const targetsPerUnit = size / spec.targetTensorParallel;
  const blocksOf = unitBlocks(spec, units);
  const sourceBlocks = Array<number>(units * sourcesPerUnit).fill(0);
  const targetBlocks = Array<number>(units * targetsPerUnit).fill(0);
  const flows: Flow[] = [];
  const add = (source: number, target: number, blocks: number): void => {
    if (blocks === 0) return;
    const [sourceFirst = 0, targetFirst = 0] = [sourceBlocks[source], targetBlocks[target]];
    flows.push({ source, target, blocks, sourceFirst, targetFirst });
    sourceBlocks[source] = sourceFirst + blocks;
    targetBlocks[target] = targetFirst + blocks;
  };
  for (let from = 0; from < units; from++) {
    for (let to = 0; to < units; to++) {
      const blocks = blocksOf(from, to);
      for (let each = 0; each < sourcesPerUnit; each++) {
        const source = from * sourcesPerUnit + each;
        for (const [place, share] of shares(blocks, targetsPerUnit).entries()) {
          add(source, to * targetsPerUnit + place, share);
        }
      }
    }
  }
  return { flows, sourceBlocks, targetBlocks };
}

/** Parts of a whole, as equal as they can be, the larger ones first. */
function shares(blocks: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, part) => Math.floor((blocks + parts - 1 - part) / parts));
}
