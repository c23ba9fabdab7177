/** JSON Schema of the keys that offload and onboard share, as users write them. */
import { LARGEST_INTEGER, type Schema } from '../../runner/job-spec/common-schema.js';
import { LAYOUT_KEYS, closedObject, layoutWithDefaults, positive } from './layout-schema.js';

/** Block ids are 32-bit everywhere. */
const LARGEST_POOL_BLOCKS = 2 ** 31 - 1;

/** Strategies of sharded mode: every rank copies its own blocks. */
export const SHARDED_STRATEGIES = ['memcpy', 'memcpyBatch', 'kernel', 'staged', 'auto'] as const;
/** Strategies of replicated mode: the root's blocks reach every rank. */
export const REPLICATED_STRATEGIES = [
  'rootBroadcast',
  'pipelined',
  'scatterAllgather',
  'ipc',
  'independent',
  'auto',
] as const;

const tier: Schema = { enum: ['device', 'host', 'disk'] };
const poolBlocks = (name: string): Schema => ({
  type: 'integer',
  minimum: 1,
  maximum: LARGEST_POOL_BLOCKS,
  description: `Blocks in the ${name} pool of a rank.`,
});

export const TRACE_KEYS: Readonly<Record<string, Schema>> = {
  path: {
    type: 'string',
    minLength: 1,
    maxLength: 4096,
    description: 'Request trace whose lines name prefix blocks: Mooncake, Bailian or chained prefix hashes.',
  },
  blockTokens: {
    ...positive('Tokens per hash id; absent: 512 if that fits the file, else the power of two that does.'),
    maximum: 2 ** 20,
  },
  requests: positive('Number of requests from the start of the trace; absent: all.'),
};

export const KV_KEYS: Readonly<Record<string, Schema>> = {
  from: { ...tier, description: 'Tier that is read; absent: device to offload, host to onboard.' },
  to: {
    ...tier,
    description:
      'Tier that is written; absent: host to offload (disk where from is host), device to onboard.',
  },
  mode: {
    enum: ['sharded', 'replicated'],
    default: 'sharded',
    description:
      'sharded: every rank moves its own blocks; replicated: host and disk tiers are only on the root.',
  },
  layout: { $ref: '#/$defs/layout', description: 'Layout of the device pool.' },
  hostLayout: {
    $ref: '#/$defs/tierLayout',
    description: 'Layout of the host pool; absent keys are those of layout.',
  },
  diskLayout: {
    $ref: '#/$defs/tierLayout',
    description: 'Layout of the disk pool; absent keys are those of layout.',
  },
  pools: {
    type: 'object',
    additionalProperties: false,
    properties: {
      deviceBlocks: poolBlocks('device'),
      hostBlocks: poolBlocks('host'),
      diskBlocks: poolBlocks('disk'),
      diskPath: {
        type: 'string',
        minLength: 1,
        maxLength: 4096,
        default: '/tmp',
        description: 'Folder of the disk pool, on every rank.',
      },
    },
    default: {},
    description: 'Capacity of each tier; absent: what the job moves. Order trace needs those of from and to.',
  },
  blocks: {
    type: 'integer',
    minimum: 1,
    maximum: LARGEST_POOL_BLOCKS,
    description:
      'Blocks that a rank moves in one iteration; absent: all that its smallest pool holds, or with order trace all that the trace touches.',
  },
  order: {
    enum: ['sequential', 'shuffled', 'strided', 'trace'],
    default: 'sequential',
    description: 'Which block ids are taken, and in what order.',
  },
  trace: { ...closedObject(TRACE_KEYS, ['path']), description: 'The requests of order trace.' },
  layerRange: {
    type: 'array',
    items: { type: 'integer', minimum: 0, maximum: LARGEST_INTEGER },
    minItems: 2,
    maxItems: 2,
    description: '[start, end): layers that move; absent: all.',
  },
  bidirectional: {
    type: 'boolean',
    default: false,
    description: 'The same number of other blocks moves in the opposite direction at the same time.',
  },
  strategy: {
    enum: [...new Set<string>([...SHARDED_STRATEGIES, ...REPLICATED_STRATEGIES])],
    default: 'auto',
    description: `sharded: ${SHARDED_STRATEGIES.join(', ')}; replicated: ${REPLICATED_STRATEGIES.join(', ')}.`,
  },
  maxTransferBatchSize: {
    ...positive('Blocks in one batch of copies.'),
    maximum: LARGEST_POOL_BLOCKS,
    default: 16,
  },
  maxConcurrentTransfers: { ...positive('Batches in flight at a time.'), maximum: 1024, default: 4 },
  chunkBytes: {
    anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 4096, maximum: 2 ** 32 }],
    default: 'auto',
    description: 'Bytes per pipeline step, for strategies that overlap.',
  },
  disk: {
    type: 'object',
    additionalProperties: false,
    default: {},
    properties: {
      queueDepth: {
        type: 'integer',
        minimum: 1,
        maximum: 4096,
        default: 32,
        description: 'Requests in flight.',
      },
      requestBytes: {
        type: 'integer',
        minimum: 4096,
        maximum: 2 ** 30,
        multipleOf: 4096,
        default: 2 ** 20,
        description: 'Largest request; longer runs are split.',
      },
    },
    description: 'How the disk tier is accessed.',
  },
  root: {
    type: 'integer',
    minimum: 0,
    maximum: 2 ** 31 - 1,
    default: 0,
    description: 'replicated: rank with the tiers.',
  },
  maxCtas: {
    anyOf: [{ const: 'uncapped' }, { type: 'integer', minimum: 1, maximum: 64 }],
    default: 8,
    description: 'replicated: most thread blocks that an NCCL collective may take; uncapped: NCCL decides.',
  },
};

const KV_DEFINITIONS: Readonly<Record<string, Schema>> = {
  layout: closedObject(layoutWithDefaults, []),
  tierLayout: closedObject(LAYOUT_KEYS, []),
};

/** As users write it. */
export const kvSchema: Schema = {
  $defs: KV_DEFINITIONS,
  properties: KV_KEYS,
  required: ['layout'],
};

/** Keys that a broadcast fixes by itself. */
const FIXED_BY_BROADCAST = new Set(['to', 'mode', 'bidirectional']);

/** As users write a broadcast: every rank's device pool is the target. */
export const broadcastSchema: Schema = {
  $defs: KV_DEFINITIONS,
  properties: {
    ...Object.fromEntries(Object.entries(KV_KEYS).filter(([key]) => !FIXED_BY_BROADCAST.has(key))),
    from: {
      ...tier,
      description:
        'Tier of the root that is read; absent: host. With device the broadcast is in place: blocks keep their ids.',
    },
    strategy: {
      enum: [...REPLICATED_STRATEGIES],
      default: 'auto',
      description: 'How the blocks reach every rank.',
    },
  },
  required: ['layout'],
};
