/** dispatchCombine: tokens to their experts and back, low latency or high throughput. */
import { defineKind } from '../../runner/job/kind.js';
import { moeColumns } from './columns.js';
import { moeEnvironmentKeys } from './environment.js';
import type { MoeSpec } from './moe-spec.js';
import { needOfMoe, planMoe } from './plan.js';
import { resolveMoe } from './resolve.js';
import { moeIssues } from './rules.js';
import { moeSchema } from './schema.js';
import { skippedTransport } from './skips.js';

export const dispatchCombine = defineKind<MoeSpec>()({
  kind: 'dispatchCombine',
  summary:
    'Sends tokens to their experts and the weighted results back, low latency or high throughput, hybrid.',
  schema: moeSchema,
  environmentKeys: moeEnvironmentKeys,
  assumedKeys: ['maxDispatchTokensPerRank', 'hidden', 'numTopk', 'numExperts'],
  example: {
    model: 'deepseek-v3',
    numTokens: 8,
    iterations: 10,
    sweep: { dispatchDtype: ['bf16', 'fp8_e4m3'] },
  },
  columns: moeColumns,
  resolve: resolveMoe,
  check: moeIssues,
  plan: planMoe,
  need: needOfMoe,
  skipReason: skippedTransport,
  // What measures is the addon's: `validate` and `plan` must not load what leads to it.
  open: async (spec, context) => (await import('./open.js')).openExchange(spec, context),
});
