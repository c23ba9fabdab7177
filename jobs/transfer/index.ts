/** transfer: KV blocks from rank to rank, as a disaggregated prefill and decode pair moves them. */
import { defineKind } from '../../runner/job/kind.js';
import { transferColumns } from './columns.js';
import { skippedPath } from './paths.js';
import { planTransfer } from './plan.js';
import { resolveTransfer } from './resolve.js';
import { transferIssues } from './rules.js';
import { transferSchema } from './schema.js';
import type { TransferSpec } from './spec.generated.js';

export const transfer = defineKind<TransferSpec>()({
  kind: 'transfer',
  summary: 'Moves KV blocks from rank to rank, by writes and by reads, across tensor-parallel sizes.',
  schema: transferSchema,
  assumedKeys: ['op', 'pattern', 'blocks', 'layout.kind', 'layout.pageSize'],
  example: {
    layout: { model: 'llama-3.1-8b', pageSize: 16 },
    blocks: 8,
    iterations: 10,
    sweep: { op: ['write', 'read'] },
  },
  columns: transferColumns,
  resolve: resolveTransfer,
  check: transferIssues,
  plan: planTransfer,
  skipReason: skippedPath,
  // What moves is the addon's: `validate` and `plan` must not load what leads to it.
  open: async (spec, context) => (await import('./open.js')).openTransfer(spec, context),
});
