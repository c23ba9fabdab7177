/** What cannot be on any machine. Pointers are relative to the job. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import { kvIssues } from '../kv/rules.js';
import { REPLICATED_STRATEGIES, SHARDED_STRATEGIES } from '../kv/schema.js';
import type { ReplaySpec } from './spec.generated.js';
import { asKvSpec, blocksPerSlot, tierSlots } from './tiers.js';

/** Block ids are 32-bit everywhere. */
const MOST_BLOCKS = 2 ** 31 - 1;

/** `worldSize` null: not known yet. */
export function replayIssues(spec: ReplaySpec, worldSize: number | null): SpecIssue[] {
  const issues = [...pageIssues(spec), ...strategyIssues(spec), ...traceIssues(spec)];
  if (worldSize !== null && spec.root >= worldSize) {
    const expected = `a rank of this world, 0 to ${worldSize - 1}`;
    issues.push({ pointer: '/root', expected, received: showValue(spec.root) });
  }
  if (issues.length > 0) return issues;
  return geometryIssues(spec);
}

function pageIssues(spec: ReplaySpec): SpecIssue[] {
  const { blockTokens } = spec.trace;
  const odd = (['layout', 'hostLayout', 'diskLayout'] as const).find(
    (key) => spec[key].pageSize !== spec.layout.pageSize,
  );
  if (odd !== undefined) {
    const expected = `${spec.layout.pageSize}, as in layout: a copy moves whole pages`;
    return [{ pointer: `/${odd}/pageSize`, expected, received: showValue(spec[odd].pageSize) }];
  }
  const perSlot = blocksPerSlot(spec);
  if (!Number.isInteger(perSlot)) {
    const expected = `a divisor of ${blockTokens}, the tokens of a block of the trace`;
    return [{ pointer: '/layout/pageSize', expected, received: showValue(spec.layout.pageSize) }];
  }
  const most = Math.max(...tierSlots(spec)) * perSlot;
  if (most <= MOST_BLOCKS) return [];
  const expected = `tiers of at most ${MOST_BLOCKS} pages`;
  return [{ pointer: '/pools', expected, received: `${most} pages: ${perSlot} for each prefix block` }];
}

function strategyIssues({ mode, strategy }: ReplaySpec): SpecIssue[] {
  const legal: readonly string[] =
    mode === 'sharded' ? SHARDED_STRATEGIES : REPLICATED_STRATEGIES.filter((name) => name !== 'independent');
  if (legal.includes(strategy)) return [];
  const expected = `a strategy of mode ${mode}: ${legal.join(', ')}`;
  const hint = strategy === 'independent' ? 'with tiers on every rank the mode is sharded' : '';
  return [
    { pointer: '/strategy', expected, received: showValue(strategy), ...(hint === '' ? {} : { hint }) },
  ];
}

function traceIssues({ trace, warmupRequests }: ReplaySpec): SpecIssue[] {
  if (trace.requests === undefined || warmupRequests < trace.requests) return [];
  const expected = `less than the ${trace.requests} requests of trace.requests: some have to count`;
  return [{ pointer: '/warmupRequests', expected, received: showValue(warmupRequests) }];
}

/** Layouts and sizes by the rules of offload and onboard, for each pair of tiers. */
function geometryIssues(spec: ReplaySpec): SpecIssue[] {
  const kv = { ...asKvSpec(spec), mode: 'sharded' as const, strategy: 'auto' as const, root: 0 };
  const pairs = [
    ['offload', 'device', 'host', 'hostBlocks'],
    ['offload', 'device', 'disk', 'diskBlocks'],
  ] as const;
  const layerRange: [number, number] = [0, kv.layout.numLayers];
  // A device without other tiers is checked as if it had a host of one block.
  const pools = { hostBlocks: 1, ...kv.pools };
  // What both pairs complain of is said once (uniqueIssues).
  return pairs.flatMap(([kind, from, to, key]) =>
    pools[key] === undefined
      ? []
      : kvIssues({ ...kv, pools, kind, from, to, layerRange, bidirectional: false }, null),
  );
}
