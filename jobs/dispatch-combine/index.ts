/** dispatchCombine: tokens to their experts and back, low latency. */
import type { JobKind } from '../../runner/job/kind.js';
import { moeColumns } from './columns.js';
import { moeSpecOf } from './moe-spec.js';
import { planMoe } from './plan.js';
import { resolveMoe } from './resolve.js';
import { moeFaults } from './rules.js';
import { moeSchema } from './schema.js';
import { skippedTransport } from './skips.js';

export const dispatchCombine: JobKind = {
  kind: 'dispatchCombine',
  summary: 'Sends tokens to their experts and the weighted results back, low latency, hybrid.',
  schema: moeSchema,
  columns: moeColumns,
  resolve: resolveMoe,
  check: (point, worldSize) => moeFaults(moeSpecOf(point), worldSize),
  plan: planMoe,
  skipReason: (point, place) => skippedTransport(moeSpecOf(point), place),
  // What measures is the addon's: `validate` and `plan` must not load what leads to it.
  open: async (context) => (await import('./open.js')).openExchange(context),
};
