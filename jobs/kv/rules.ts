/** What cannot be on any machine, as a table and a few comparisons. Pointers are relative to the job. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import type { Tier } from '../../runner/native/types/index.js';
import { poolSizes, regionGroups, storedLayout } from './layout.js';
import type { KvLayout, KvSpec } from './spec.generated.js';
import { layoutOf, poolBlocks } from './spec.js';
import { REPLICATED_STRATEGIES, SHARDED_STRATEGIES } from './schema.js';
import { LAYOUT_KEYS_BY_TIER, POOL_KEYS } from './tiers.js';

/** The legal pairs of pools, from -> to, and the kind that each belongs to. Every other pair is refused. */
const LEGAL_PAIRS: Readonly<Record<string, string>> = {
  'device -> host': 'offload',
  'device -> disk': 'offload',
  'host -> disk': 'offload',
  'host -> device': 'onboard',
  'disk -> device': 'onboard',
};

/** Rules that need no layout: pair, mode and strategy, pools, blocks, trace. */
export function keyIssues(spec: KvSpec): SpecIssue[] {
  return [...pairIssues(spec), ...modeIssues(spec), ...poolIssues(spec), ...traceIssues(spec)];
}

/** Every rule of a resolved job. `worldSize` null: not known yet. */
export function kvIssues(spec: KvSpec, worldSize: number | null): SpecIssue[] {
  const issues = [...keyIssues(spec), ...geometryIssues(spec)];
  if (worldSize !== null && spec.root >= worldSize) {
    const expected = `a rank of this world, 0 to ${worldSize - 1}`;
    issues.push({ pointer: '/root', expected, received: showValue(spec.root) });
  }
  return issues;
}

function pairIssues(spec: KvSpec): SpecIssue[] {
  const pair = `${spec.from} -> ${spec.to}`;
  // A broadcast reads any tier and writes the device.
  if (spec.kind === 'broadcast') return [];
  const owner = LEGAL_PAIRS[pair];
  if (owner === spec.kind) {
    const reverse = `${spec.to} -> ${spec.from}`;
    if (!spec.bidirectional || LEGAL_PAIRS[reverse] !== undefined) return [];
    const expected = `false for ${pair}: the reverse direction, ${reverse}, is not supported`;
    return [{ pointer: '/bidirectional', expected, received: 'true' }];
  }
  const legal = Object.keys(LEGAL_PAIRS).filter((candidate) => LEGAL_PAIRS[candidate] === spec.kind);
  const hint =
    owner === undefined
      ? pair === 'device -> device'
        ? "device -> device is not a transfer; kind broadcast takes the root's device blocks to every rank"
        : 'no kind moves blocks in that direction'
      : `${pair} is of kind ${owner}`;
  return [
    {
      pointer: '/from',
      expected: `${spec.kind} with from -> to of ${legal.join(', ')}`,
      received: pair,
      hint,
    },
  ];
}

function modeIssues(spec: KvSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  // A replicated offload is done only by the root: it copies as every sharded rank does.
  const isAlone = spec.mode === 'replicated' && spec.kind === 'offload';
  const legal: readonly string[] =
    spec.mode === 'sharded' || isAlone ? SHARDED_STRATEGIES : REPLICATED_STRATEGIES;
  if (!legal.includes(spec.strategy)) {
    const where = isAlone ? 'replicated offload, which only the root does' : `mode ${spec.mode}`;
    const expected = `a strategy of ${where}: ${legal.join(', ')}`;
    const other = legal === SHARDED_STRATEGIES ? 'replicated' : 'sharded';
    const hint = `${spec.strategy} belongs to mode ${other}`;
    issues.push({ pointer: '/strategy', expected, received: showValue(spec.strategy), hint });
  }
  if (spec.kind === 'broadcast' && spec.from === 'device' && spec.strategy === 'independent') {
    const expected =
      "another strategy from device: only the root's pool has the blocks, no other rank can load them itself";
    issues.push({ pointer: '/strategy', expected, received: showValue(spec.strategy) });
  }
  if (spec.mode === 'replicated' && spec.bidirectional) {
    const expected = 'false in mode replicated: its transfers have one order on all ranks';
    issues.push({ pointer: '/bidirectional', expected, received: 'true' });
  }
  return issues;
}

function poolIssues(spec: KvSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  if (spec.blocks === undefined && spec.order !== 'trace') {
    // Pools follow from it, so nothing is said of those.
    const hint = 'or give one of its pools, which is then moved whole';
    const received = 'nothing: the key is missing';
    return [{ pointer: '/blocks', expected: 'integer >= 1', received, hint }];
  }
  for (const tier of new Set([spec.from, spec.to])) {
    const key = POOL_KEYS[tier];
    const capacity = poolBlocks(spec, tier);
    if (capacity === 0) {
      const expected = `integer >= 1: ${spec.from} -> ${spec.to} needs a ${tier} pool`;
      issues.push({ pointer: `/pools/${key}`, expected, received: 'nothing: the key is missing' });
      continue;
    }
    // The reverse direction moves as many blocks again, others in both pools.
    const most = spec.bidirectional ? Math.floor(capacity / 2) : capacity;
    if (!(spec.blocks > most)) continue;
    const half = spec.bidirectional ? ', of which each direction may take half' : '';
    const expected = `at most ${most}: pools.${key} is ${capacity}${half}`;
    issues.push({
      pointer: '/blocks',
      expected,
      received: showValue(spec.blocks),
      hint: `raise pools.${key}`,
    });
  }
  return issues;
}

function traceIssues(spec: KvSpec): SpecIssue[] {
  if (spec.order !== 'trace' || spec.trace !== undefined) return [];
  const expected = 'object with the path of a request trace: order is trace';
  return [{ pointer: '/trace', expected, received: 'nothing: the key is missing' }];
}

function geometryIssues(spec: KvSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const tiers = [...new Set([spec.from, spec.to])];
  for (const tier of tiers) issues.push(...tierIssues(spec, tier));
  const [start, end] = spec.layerRange;
  if (!(start < end && end <= spec.layout.numLayers)) {
    const expected = `[start, end) with start < end <= ${spec.layout.numLayers} layers`;
    issues.push({ pointer: '/layerRange', expected, received: showValue(spec.layerRange) });
  }
  const [source, target] = [layoutOf(spec, spec.from), layoutOf(spec, spec.to)];
  const shape = (layout: KvLayout): string =>
    regionGroups(layout)
      .map(({ layers, regionBytes, window }) => {
        const alike = new Set(regionBytes).size === 1;
        const bytes = alike ? `${regionBytes.length} x ${regionBytes[0]}` : regionBytes.join(' and ');
        // Windows decide only where a trace's requests can outgrow them.
        const kept = spec.order !== 'trace' || window === null ? '' : ` in a window of ${window}`;
        return `${layers.length} layers x ${bytes} bytes${kept}`;
      })
      .join(', ');
  if (shape(source) !== shape(target)) {
    // The device's layout is the reference; of two others, the target's is named.
    const tier = spec.to === 'device' ? spec.from : spec.to;
    const expected = `regions equal to those of ${spec.from === tier ? spec.to : spec.from}: ${shape(tier === spec.to ? source : target)}`;
    const received = shape(layoutOf(spec, tier));
    issues.push({ pointer: `/${LAYOUT_KEYS_BY_TIER[tier]}`, expected, received });
  }
  return issues;
}

function tierIssues(spec: KvSpec, tier: Tier): SpecIssue[] {
  const layout = layoutOf(spec, tier);
  // What a tier has from the device's layout is said once, where it was written.
  const isOwn = JSON.stringify(layout) !== JSON.stringify(spec.layout);
  const pointer = isOwn ? `/${LAYOUT_KEYS_BY_TIER[tier]}` : '/layout';
  const issues: SpecIssue[] = [];
  if (!Number.isInteger(Math.log2(layout.alignment))) {
    const received = showValue(layout.alignment);
    issues.push({ pointer: `${pointer}/alignment`, expected: 'a power of two', received });
  }
  const blocks = Math.max(1, poolBlocks(spec, tier));
  const bytesOf = (numBlocks: number): number =>
    poolSizes(storedLayout(layout, tier), [{ groups: regionGroups(layout), numBlocks }]).allocationBytes;
  const [one, all] = [bytesOf(1), bytesOf(blocks)];
  const limit = 'at most 2^53 - 1 bytes, what numbers hold exactly';
  if (one > Number.MAX_SAFE_INTEGER) {
    issues.push({
      pointer,
      expected: `a block of ${limit}`,
      received: `about ${one.toExponential(3)} bytes`,
    });
  } else if (all > Number.MAX_SAFE_INTEGER) {
    const received = `${blocks} blocks, about ${all.toExponential(3)} bytes`;
    issues.push({ pointer: `/pools/${POOL_KEYS[tier]}`, expected: `a pool of ${limit}`, received });
  }
  return issues;
}
