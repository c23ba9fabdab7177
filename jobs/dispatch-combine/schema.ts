/** JSON Schema of dispatchCombine's keys, as users write them. */
import { RUN_DEFAULT_KEYS, type Schema } from '../../runner/job-spec/common-schema.js';
import { highThroughputSchema } from './high-throughput/schema.js';

const MAX_TOPK = 32;
const MAX_EXPERTS = 65_536;
const MAX_HIDDEN = 65_536;
const MAX_TOKENS = 1_048_576;
/** Rows of a result are counted in 32 bits. */
export const MAX_RESULT_ROWS = 2 ** 31 - 1;

const count = (minimum: number, maximum: number, description: string): Schema => ({
  type: 'integer',
  minimum,
  maximum,
  description,
});

/** What each kind of routing has where it does not say, and which keys mean something to it. */
export const ROUTING_DEFAULTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  uniform: {},
  zipf: { exponent: 1 },
  powerLaw: { alpha: 1.01 },
  kHot: { hotExperts: 1, hotFraction: 0.8 },
  groupLimited: { numGroups: 8, topkGroups: 4 },
  file: { path: undefined, layer: 0 },
};

const routing: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['kind'],
  default: { kind: 'uniform' },
  properties: {
    kind: {
      enum: Object.keys(ROUTING_DEFAULTS),
      description: 'How tokens choose experts; every kind is a function of the seed.',
    },
    maskedFraction: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0,
      description: 'Share of choices that are replaced by -1 (no expert).',
    },
    exponent: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 10,
      description: 'zipf: expert of popularity rank r is chosen in proportion to r^-exponent. Default 1.',
    },
    alpha: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 10,
      description: 'powerLaw: exponent of the bounded power law that expert loads follow. Default 1.01.',
    },
    hotExperts: count(1, MAX_EXPERTS, 'kHot: how many experts are hot. Default 1.'),
    hotFraction: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      description: 'kHot: share of the choice weight that the hot experts have together. Default 0.8.',
    },
    numGroups: count(1, MAX_EXPERTS, 'groupLimited: number of groups of experts. Default 8.'),
    topkGroups: count(1, MAX_EXPERTS, 'groupLimited: groups that a token may choose from. Default 4.'),
    path: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      description:
        'file: CSV with the header layer_id,expert_id,count, or JSONL with an array of numTopk ids per line.',
    },
    layer: count(0, 1_000_000, 'file: the layer_id of a CSV whose counts are used. Default 0.'),
  },
  description: 'Which token goes to which expert.',
};

export const moeSchema: Readonly<Record<string, unknown>> = {
  type: 'object',
  required: ['numTokens'],
  properties: {
    iterations: { ...RUN_DEFAULT_KEYS['iterations'], default: 200 },
    model: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      description:
        'Instead of hidden, numTopk and numExperts: a preset, or the path of a Hugging Face config.json. Its groups and identity experts become defaults of routing.',
    },
    hidden: count(1, MAX_HIDDEN, 'Elements of a token; padded to a multiple of 128 in messages.'),
    numTopk: count(1, MAX_TOPK, 'Experts per token.'),
    numExperts: count(1, MAX_EXPERTS, 'Experts in total; a multiple of the world size.'),
    numTokens: {
      anyOf: [
        { type: 'integer', minimum: 0, maximum: MAX_TOKENS },
        {
          type: 'array',
          minItems: 1,
          maxItems: 4096,
          items: { type: 'integer', minimum: 0, maximum: MAX_TOKENS },
        },
      ],
      description: 'Tokens of every rank, or a list with one number per rank.',
    },
    ...highThroughputSchema,
    maxDispatchTokensPerRank: count(
      1,
      MAX_TOKENS,
      'Upper bound of tokens per rank; sizes the buffers. Absent: the maximum of numTokens.',
    ),
    dispatchDtype: {
      enum: ['bf16', 'fp8_e4m3'],
      default: 'bf16',
      description: 'Format in which tokens are sent to the experts; they return as bf16.',
    },
    roundScale: {
      type: 'boolean',
      default: false,
      description: 'fp8_e4m3: scales are powers of two.',
    },
    outputLayout: {
      enum: ['expertMajor', 'rankMajor'],
      default: 'expertMajor',
      description:
        'expertMajor: one row per expert that a token chose; rankMajor: one row per token, and the experts reduce.',
    },
    phases: {
      enum: ['fused', 'split'],
      default: 'fused',
      description: 'split: send and receive are timed separately.',
    },
    zeroCopy: {
      type: 'boolean',
      default: false,
      description:
        'Experts write into the send buffer, so that combine sends without copying; on the host device owners read their rows there.',
    },
    dedup: {
      enum: ['auto', 'on', 'off', 'node'],
      default: 'auto',
      description:
        'on: a token is sent once per destination rank; off: once per expert; node: once per destination node, where it is forwarded by ipc.',
    },
    transport: {
      enum: ['hybrid', 'network', 'ipc'],
      default: 'hybrid',
      description:
        'hybrid: shared memory inside a node, the network between nodes; network: the network for all but self; ipc: never the network.',
    },
    numProxies: {
      anyOf: [{ type: 'integer', minimum: 1, maximum: 32 }, { const: 'auto' }],
      default: 'auto',
      description: 'Threads that drive the network on each rank; auto is 1 on the host device, 4 on GPUs.',
    },
    routing,
  },
};
