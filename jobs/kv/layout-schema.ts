/** JSON Schema of the keys of a layout. */
import { LARGEST_INTEGER, type Schema } from '../../runner/job-spec/common-schema.js';
import { givenGroups } from './group-schema.js';

export const positive = (description: string): Schema => ({
  type: 'integer',
  minimum: 1,
  maximum: LARGEST_INTEGER,
  description,
});

/** Keys of a layout, without defaults: `layout` has them from LAYOUT_DEFAULTS, the other tiers from `layout`. */
export const LAYOUT_KEYS: Readonly<Record<string, Schema>> = {
  kind: {
    enum: ['fullyContiguous', 'layerSeparate'],
    description: 'fullyContiguous: a block is one run of bytes; layerSeparate: one buffer per layer.',
  },
  blockDim: {
    enum: ['first', 'second'],
    description:
      'layerSeparate only. first: [block, outer, page, inner] in a layer; second: [outer, block, page, inner].',
  },
  numLayers: positive('Transformer layers per block.'),
  outerDim: { type: 'integer', minimum: 1, maximum: 2, description: '2: K and V apart; 1: together (MLA).' },
  pageSize: positive('Tokens per block.'),
  innerDim: positive('Elements per token, layer and outer index: KV heads on this rank times head size.'),
  dtypeWidthBytes: { enum: [1, 2, 4, 8], description: 'Bytes of an element.' },
  alignment: {
    type: 'integer',
    minimum: 1,
    maximum: 2 ** 30,
    description: 'Blocks start at multiples of this many bytes; a power of two.',
  },
  model: {
    type: 'string',
    minLength: 1,
    maxLength: 4096,
    description:
      'Instead of numLayers, outerDim and innerDim, or groups: a preset, or the path of a Hugging Face config.json.',
  },
  mtp: {
    type: 'boolean',
    description: 'With model: the layers of multi-token prediction count as well. Default false.',
  },
  groups: givenGroups,
  group: {
    type: 'string',
    minLength: 1,
    maxLength: 64,
    description: 'With model or groups: blocks hold only this group.',
  },
  tensorParallel: positive('With model or groups: the KV heads are split over this many ranks.'),
};

/** What a layout has where it does not say. */
export const LAYOUT_DEFAULTS = {
  // As engines keep it: one tensor for each layer, pages of 32 tokens.
  kind: 'layerSeparate',
  pageSize: 32,
  blockDim: 'second',
  dtypeWidthBytes: 2,
  alignment: 1,
  tensorParallel: 1,
} as const;

export const layoutWithDefaults = Object.fromEntries(
  Object.entries(LAYOUT_KEYS).map(([key, schema]) => {
    const value = (LAYOUT_DEFAULTS as Readonly<Record<string, unknown>>)[key];
    return [key, value === undefined ? schema : { ...schema, default: value }];
  }),
);

export const closedObject = (
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});
