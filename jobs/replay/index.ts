/** A request trace driven through device, host and disk: what a cache of this size would do for this traffic on this machine. */
import { defineKind } from '../../runner/job/kind.js';
import { kvEnvironmentKeys } from '../kv/environment.js';
import { skippedTransfer } from '../kv/skips.js';
import { replayColumns } from './columns.js';
import { planReplay } from './plan.js';
import { resolveReplay } from './resolve.js';
import { replayIssues } from './rules.js';
import { replaySchema } from './schema.js';
import type { ReplaySpec } from './spec.generated.js';
import { asKvSpec } from './tiers.js';

export const replay = defineKind<ReplaySpec>()({
  kind: 'replay',
  measuresOnce: 'a trace is replayed once, and each of its requests is a sample',
  summary: 'Drives a request trace through device, host and disk tiers: real copies, every hit verified.',
  schema: replaySchema,
  environmentKeys: kvEnvironmentKeys,
  assumedKeys: ['trace.blockTokens', 'layout.pageSize', 'policy', 'pacing'],
  example: {
    trace: { path: 'configs/traces/conversation-small.jsonl', requests: 50 },
    layout: { kind: 'fullyContiguous', numLayers: 2, outerDim: 2, innerDim: 16 },
    pools: { deviceBlocks: 100, hostBlocks: 300 },
    windows: 5,
  },
  columns: replayColumns,
  resolve: resolveReplay,
  check: replayIssues,
  plan: planReplay,
  skipReason: (spec, place) => skippedTransfer({ ...asKvSpec(spec), from: 'host', to: 'device' }, place),
  // What moves is the addon's: `validate` and `plan` must not load what leads to it.
  open: async (spec, context) => (await import('./open.js')).openReplay(spec, context),
});
