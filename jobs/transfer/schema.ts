/** JSON Schema of a transfer's keys, as users write them. */
import { LARGEST_INTEGER, RUN_DEFAULT_KEYS, type Schema } from '../../runner/job-spec/common-schema.js';
import { LAYOUT_DEFAULTS, LAYOUT_KEYS, closedObject, positive } from '../kv/layout-schema.js';

const PATTERNS = ['pair', 'ring', 'manyToOne', 'oneToMany', 'allToAll', 'matrix'] as const;

/** Sizes of an instance: engines use powers of two, and heads split by them. */
const TENSOR_PARALLEL = [1, 2, 4, 8] as const;

/** Block ids are 32-bit everywhere. */
export const MOST_BLOCKS = 2 ** 31 - 1;

const HEAD_ORDER: Schema = {
  enum: ['tokenMajor', 'headMajor'],
  description: 'Order within a region: [token, head, ...] or [head, token, ...].',
};

/** Keys of only one side; the model is the same on both. */
const SIDE_KEYS: Readonly<Record<string, Schema>> = {
  kind: LAYOUT_KEYS['kind'] ?? {},
  blockDim: LAYOUT_KEYS['blockDim'] ?? {},
  pageSize: { ...positive('Tokens per block.'), maximum: 4096 },
  alignment: LAYOUT_KEYS['alignment'] ?? {},
  headOrder: HEAD_ORDER,
};

export const SIDE_DEFAULTS = {
  kind: LAYOUT_DEFAULTS.kind,
  blockDim: LAYOUT_DEFAULTS.blockDim,
  pageSize: 16,
  alignment: LAYOUT_DEFAULTS.alignment,
  headOrder: 'tokenMajor',
} as const;

const withDefaults = Object.fromEntries(
  Object.entries(SIDE_KEYS).map(([key, schema]) => [
    key,
    { ...schema, default: new Map<string, unknown>(Object.entries(SIDE_DEFAULTS)).get(key) },
  ]),
);

/** What says the model: as in the layouts of offload and onboard. */
const MODEL_KEYS = ['model', 'mtp', 'groups', 'group', 'dtypeWidthBytes'] as const;
const modelKeys = Object.fromEntries(MODEL_KEYS.map((key) => [key, LAYOUT_KEYS[key] ?? {}]));

const tier = (description: string): Schema => ({ enum: ['device', 'host'], default: 'device', description });

const tensorParallel = (side: string): Schema => ({
  enum: [...TENSOR_PARALLEL],
  default: 1,
  description: `Ranks that together hold one copy of the ${side}, each its heads; latents are complete on each.`,
});

export const TRANSFER_KEYS: Readonly<Record<string, Schema>> = {
  iterations: { ...RUN_DEFAULT_KEYS['iterations'], default: 20 },
  op: {
    enum: ['write', 'read', 'both'],
    default: 'both',
    description:
      'write: ranks that have the blocks send them; read: ranks that need them fetch them; both: one after the other.',
  },
  pattern: {
    enum: [...PATTERNS],
    default: 'ring',
    description:
      'Who sends to whom, by units of max(sourceTensorParallel, targetTensorParallel) ranks. pair: 0 to 1, 2 to 3, ...; ' +
      'ring: each to the next; manyToOne: all others to 0; oneToMany: 0 to all others; allToAll; matrix: from a file. ' +
      'A single unit sends to itself.',
  },
  matrix: {
    type: 'string',
    minLength: 1,
    maxLength: 4096,
    description:
      'pattern matrix: file with one line of cells per unit, as in kvbench: cell j of line i is the bytes that a ' +
      'source of unit i sends to unit j (1048576, 1024k, 1m), rounded up to whole blocks.',
  },
  from: tier('Memory from which blocks are read.'),
  to: tier('Memory into which blocks are written.'),
  sourceTensorParallel: tensorParallel('source'),
  targetTensorParallel: tensorParallel('target'),
  layout: { $ref: '#/$defs/layout', description: 'The model, and the layout of the source.' },
  targetLayout: {
    $ref: '#/$defs/targetLayout',
    description: 'Layout of the target; absent keys are those of layout.',
  },
  blocks: {
    ...positive(
      'Blocks, of the larger page size of the two sides, from each source instance to each receiver of its pattern.',
    ),
    maximum: MOST_BLOCKS,
    default: 16,
  },
  order: {
    enum: ['sequential', 'shuffled'],
    default: 'shuffled',
    description: 'Block ids on both sides.',
  },
  layerRange: {
    type: 'array',
    items: { type: 'integer', minimum: 0, maximum: LARGEST_INTEGER },
    minItems: 2,
    maxItems: 2,
    description: '[start, end): layers that move; absent: all.',
  },
  transport: {
    enum: ['hybrid', 'network', 'ipc'],
    default: 'hybrid',
    description:
      'hybrid: shared memory inside a node, the network between nodes; network: the network for all but self; ipc: never the network.',
  },
  networkTransport: {
    type: 'array',
    items: { type: 'string', pattern: '^[a-z][a-z0-9_]{0,31}$' },
    minItems: 1,
    uniqueItems: true,
    description:
      'Transports of UCX, or what their names begin with ("rc", "tcp"), the only ones that may carry data: if UCX uses another, the point ends with E_TRANSPORT before anything is measured. Absent: every transport may.',
  },
  networkMemory: {
    enum: ['auto', 'staged', 'device'],
    default: 'auto',
    description:
      'GPU memory over the network. auto: through pinned bounce buffers, one group of which fills while the other drains; staged: also for device memory of the host device; device: without them, or E_TRANSPORT.',
  },
  bounceBytes: {
    type: 'integer',
    minimum: 2 ** 20,
    maximum: 2 ** 30,
    default: 4 * 2 ** 20,
    description:
      'Bytes of each of the two groups of a bounce buffer, of which one fills while the other drains; a rank has one ' +
      'buffer for each peer over the network.',
  },
  maxConcurrentTransfers: {
    ...positive('Transfers that a rank has in flight at a time.'),
    maximum: 1024,
    default: 4,
  },
  maxCtas: {
    ...positive('cuda: thread blocks of a copy kernel.'),
    maximum: 64,
    default: 16,
  },
};

export const transferSchema: Schema = {
  $defs: {
    layout: closedObject({ ...withDefaults, ...modelKeys }, []),
    targetLayout: closedObject(SIDE_KEYS, []),
  },
  properties: TRANSFER_KEYS,
  required: ['layout'],
};

export { MODEL_KEYS, SIDE_KEYS };
