/** JSON Schema of a replay's keys, as users write them. */
import { LARGEST_INTEGER, type Schema } from '../../runner/job-spec/common-schema.js';
import { propertiesOf } from '../../runner/job-spec/schema.js';
import { POLICY_NAMES } from '../cache/policy.js';
import { LAYOUT_KEYS, closedObject, layoutWithDefaults, positive } from '../kv/layout-schema.js';
import { KV_KEYS, TRACE_KEYS as KV_TRACE_KEYS } from '../kv/schema.js';

/** Seconds of a month: what stays longer unused than any trace is long. */
const MOST_SECONDS = 31 * 24 * 3600;

const wholeNumber = (description: string): Schema => ({
  type: 'integer',
  minimum: 0,
  maximum: LARGEST_INTEGER,
  description,
});

export const TRACE_KEYS: Readonly<Record<string, Schema>> = {
  path: {
    type: 'string',
    minLength: 1,
    maxLength: 4096,
    description:
      'Request trace whose lines name prefix blocks, plain or as .gz or .zst; only rank 0 reads it. docs/replay.md has the formats.',
  },
  blockTokens: KV_TRACE_KEYS['blockTokens'] ?? {},
  skip: { ...wholeNumber('Requests to skip.'), default: 0 },
  requests: positive('Most requests to read; absent: all.'),
  onBadLine: {
    enum: ['refuse', 'count'],
    default: 'refuse',
    description:
      'refuse: an invalid line ends the point before anything moves; count: it is skipped and counted.',
  },
};

const POOL_KEYS = propertiesOf(KV_KEYS['pools'] ?? {});
const tierBlocks = (tier: string): Schema => ({
  ...POOL_KEYS[`${tier}Blocks`],
  description: `Prefix blocks of the trace that the ${tier} tier of a rank holds${tier === 'device' ? '' : '; absent: no such tier'}.`,
});

const { pageSize: _pageSize, ...otherLayoutKeys } = layoutWithDefaults;

/** Keys that mean what they mean to offload and onboard. */
const SHARED_KEYS = [
  'maxTransferBatchSize',
  'maxConcurrentTransfers',
  'chunkBytes',
  'disk',
  'root',
  'maxCtas',
] as const;

export const REPLAY_KEYS: Readonly<Record<string, Schema>> = {
  trace: { ...closedObject(TRACE_KEYS, ['path']), description: 'The requests.' },
  mode: {
    enum: ['sharded', 'replicated'],
    default: 'sharded',
    description:
      'sharded: every rank has its own tiers; replicated: host and disk are only on the root, and its loads reach every rank.',
  },
  layout: {
    $ref: '#/$defs/layout',
    description: "Layout of the device pool; pageSize is the trace's blockTokens if absent.",
  },
  hostLayout: KV_KEYS['hostLayout'] ?? {},
  diskLayout: KV_KEYS['diskLayout'] ?? {},
  pools: {
    ...closedObject(
      {
        deviceBlocks: tierBlocks('device'),
        hostBlocks: tierBlocks('host'),
        diskBlocks: tierBlocks('disk'),
        diskPath: POOL_KEYS['diskPath'] ?? {},
      },
      ['deviceBlocks'],
    ),
    description: 'Capacity of each tier, in prefix blocks of the trace.',
  },
  policy: { enum: [...POLICY_NAMES], default: 'lru', description: 'Which block a full tier evicts.' },
  ttlSeconds: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: MOST_SECONDS,
    default: 300,
    description: "policy ttl: evict blocks unused for this long, by the trace's clock.",
  },
  minUses: {
    ...positive('Host and disk admit a block after this many uses.'),
    maximum: 2 ** 31 - 1,
    default: 1,
  },
  shortBlock: {
    enum: ['cached', 'notCached'],
    default: 'cached',
    description: "Whether a request's last block is cached if it is not full.",
  },
  pacing: {
    enum: ['asFastAsPossible', 'recorded', 'sessions'],
    default: 'asFastAsPossible',
    description:
      'asFastAsPossible: each request follows the previous one; recorded: none begins before its recorded time (open loop); ' +
      'sessions: a request of a session waits for the end of the previous one and its delay (closed loop).',
  },
  speedup: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1e9,
    default: 1,
    description: 'Recorded times and delays are divided by it.',
  },
  windows: {
    ...positive(
      'Number of windows of equal size into which the counted requests are split, each with a row in the rank files.',
    ),
    maximum: 10_000,
    default: 100,
  },
  warmupRequests: {
    ...wholeNumber('Requests that fill the tiers before counting starts.'),
    default: 0,
  },
  strategy: {
    ...KV_KEYS['strategy'],
    description:
      'sharded: memcpy, memcpyBatch, kernel, staged or auto, of all copies; replicated: rootBroadcast, pipelined, scatterAllgather, ipc or auto, of loads.',
  },
  ...Object.fromEntries(SHARED_KEYS.map((key) => [key, KV_KEYS[key] ?? {}])),
};

export const replaySchema: Schema = {
  $defs: {
    layout: closedObject({ ...otherLayoutKeys, pageSize: LAYOUT_KEYS['pageSize'] ?? {} }, []),
    tierLayout: closedObject(LAYOUT_KEYS, []),
  },
  properties: REPLAY_KEYS,
  required: ['trace', 'layout', 'pools'],
};
