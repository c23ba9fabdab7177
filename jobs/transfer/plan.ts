/** Bytes and memory of a transfer on each rank, before anything is allocated. */
import type { PlanPlace, PointPlan } from '../../runner/job-spec/spec-kind.js';
import { unitSize } from './flows.js';
import { boundText, loadsOf, type Loads } from './loads.js';
import { blocksOfRank, type Operation } from './moves.js';
import { flowBlockBytes } from './resolve.js';
import { modelGroups, nativeLayout, pageTokens, sideOf, sideSizes } from './sides.js';
import type { TransferSpec } from './spec.generated.js';

export function operationsOf({ op }: Pick<TransferSpec, 'op'>): readonly Operation[] {
  return op === 'both' ? ['write', 'read'] : [op];
}

export function planTransfer(spec: TransferSpec, { worldSize, rank }: PlanPlace): PointPlan {
  const loads = loadsOf(spec, worldSize);
  const blocks = blocksOfRank(spec, loads.flowPlan, rank);
  const memory = { device: 0, host: 0, disk: 0 };
  for (const name of ['source', 'target'] as const) {
    const side = sideOf(spec, name);
    if (blocks[name] > 0) memory[side.tier] += sideSizes(spec, side, blocks[name]).allocationBytes;
  }
  const { given = 0, taken = 0, leaving = 0, arriving = 0 } = loads.ranks[rank] ?? {};
  const started = operationsOf(spec).map((op) => (op === 'write' ? given : taken));
  return {
    memoryBytes: memory,
    payloadBytes: Math.max(...started),
    details: {
      ...detailsOf(spec, worldSize, loads),
      leaving_bytes: leaving,
      arriving_bytes: arriving,
      bound: `"${boundText(loads)}"`,
    },
  };
}

function detailsOf(
  spec: TransferSpec,
  worldSize: number,
  { flowPlan }: Loads,
): Readonly<Record<string, string | number>> {
  const size = unitSize(spec);
  const regions = (['source', 'target'] as const).map((name) =>
    [
      ...new Set(nativeLayout(spec, sideOf(spec, name), 0).groups.flatMap(({ regionBytes }) => regionBytes)),
    ].join('|'),
  );
  return {
    op: spec.op,
    units: `${worldSize / size} of ${size} ranks`,
    flows: flowPlan.flows.length,
    block_bytes: flowBlockBytes(spec),
    page_tokens: pageTokens(spec),
    source_region_bytes: regions[0] ?? '',
    target_region_bytes: regions[1] ?? '',
    tensor_parallel: `${spec.sourceTensorParallel}->${spec.targetTensorParallel}`,
    heads: modelGroups(spec)
      .map(({ name, kvHeads, kind }) => `${name} ${kind === 'kv' ? kvHeads : kind}`)
      .join(', '),
  };
}
