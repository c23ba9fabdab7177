/** Offload and onboard, one thing in two directions, and broadcast, which is a replicated onboard of any tier. */
import type { PointContext } from '../../runner/job/context.js';
import { defineKind } from '../../runner/job/kind.js';
import { kvColumns } from './columns.js';
import { ASSUMED_KEYS } from './defaults.js';
import { kvEnvironmentKeys } from './environment.js';
import type { KvSpec } from './spec.generated.js';
import { planKv } from './plan.js';
import { resolveKv } from './resolve.js';
import { kvIssues } from './rules.js';
import { broadcastSchema, kvSchema } from './schema.js';
import { skippedTransfer } from './skips.js';

const define = defineKind<KvSpec>();

/** Eight blocks of 32 tokens: 32 MiB on each rank. */
const EXAMPLE = {
  layout: { model: 'llama-3.1-8b', pageSize: 32 },
  blocks: 8,
  order: 'shuffled',
  iterations: 10,
};

const shared = {
  schema: kvSchema,
  environmentKeys: kvEnvironmentKeys,
  assumedKeys: ASSUMED_KEYS,
  columns: kvColumns,
  // acquirePools() frees first what a point does not use.
  resourceGroup: 'kv',
  resolve: resolveKv,
  check: kvIssues,
  plan: planKv,
  skipReason: skippedTransfer,
  // Copying is the addon's: `validate` and `plan` must not load what leads to it.
  open: async (spec: KvSpec, context: PointContext) =>
    (await import('./sharded/open.js')).openTransfer(spec, context),
};

export const offload = define({
  ...shared,
  kind: 'offload',
  example: { ...EXAMPLE, sweep: { strategy: ['memcpy', 'auto'] } },
  summary: 'Copies blocks to a colder tier: device to host, device to disk, or host to disk.',
});

export const onboard = define({
  ...shared,
  kind: 'onboard',
  example: { ...EXAMPLE, sweep: { blocks: [4, 8] } },
  summary: 'Copies blocks to the device: from host or from disk.',
});

export const broadcast = define({
  ...shared,
  kind: 'broadcast',
  example: { ...EXAMPLE, sweep: { strategy: ['rootBroadcast', 'auto'] } },
  schema: broadcastSchema,
  summary: "Takes the root's blocks to the device pool of every rank: from its device, host or disk tier.",
});
