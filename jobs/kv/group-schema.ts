/** JSON Schema of one entry of layout.groups, as users write it and as it is resolved. */
import { LARGEST_INTEGER, type Schema } from '../../runner/job-spec/common-schema.js';

/** native/kv/block_layout.h: kMaxGroups. */
export const MOST_GROUPS = 8;
/** native/kv/block_layout.cc: kMaxLayers. */
export const MOST_LAYERS = 65_536;

const count = (minimum: number, description: string): Schema => ({
  type: 'integer',
  minimum,
  maximum: LARGEST_INTEGER,
  description,
});

const layerNumbers: Schema = {
  type: 'array',
  items: { type: 'integer', minimum: 0, maximum: MOST_LAYERS - 1 },
  minItems: 1,
  maxItems: MOST_LAYERS,
};

/** What `railrunner model --json` prints for a group is legal here. */
const GROUP_KEYS: Readonly<Record<string, Schema>> = {
  name: {
    type: 'string',
    pattern: '^[A-Za-z0-9_-]{1,32}$',
    description: 'Name of the group, once in a layout: full, window, latent, index, ...',
  },
  layers: {
    anyOf: [layerNumbers, { type: 'string', pattern: '^\\d{1,5}(-\\d{1,5})?(, ?\\d{1,5}(-\\d{1,5})?)*$' }],
    description: 'Its layers of the model, from 0: a list, or ranges as in "0-4,6-10".',
  },
  kind: {
    enum: ['kv', 'latent', 'index', 'state'],
    description:
      'kv: K and V of heads; latent: one vector per token; index: keys of an indexer; state: kept once per sequence, ' +
      'not in blocks.',
  },
  kvHeads: count(0, 'KV heads of the whole model; with kind latent or index 1, with state 0.'),
  headDimK: count(0, "Elements of a head's K; of the whole vector with kind latent or index."),
  headDimV: count(0, "Elements of a head's V; 0: one vector holds everything."),
  window: {
    anyOf: [{ type: 'null' }, count(1, '')],
    description: 'Tokens after which an entry is no longer kept; null: kept for the whole context.',
  },
  dtypeWidthBytes: { enum: [1, 2, 4, 8], description: 'Bytes of an element.' },
  bytesPerToken: {
    type: 'number',
    minimum: 0,
    maximum: LARGEST_INTEGER,
    description: 'Bytes that all its layers keep for one token: checked against the other keys.',
  },
  scaleBytes: count(0, 'Bytes per token and layer in addition to the elements: scales of an 8-bit index.'),
  compression: {
    type: 'object',
    additionalProperties: false,
    properties: {
      how: { enum: ['pooled', 'aged'], description: 'pooled: an entry stands for `ratio` tokens.' },
      ratio: count(0, 'Tokens per entry.'),
    },
    required: ['how', 'ratio'],
    description: 'A cache that keeps one entry for several tokens.',
  },
  stateElements: {
    anyOf: [{ type: 'null' }, count(0, '')],
    description: 'state: elements of all its layers for one sequence; reported, not moved.',
  },
};

const closed = (properties: Readonly<Record<string, Schema>>, required: readonly string[]): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});

/** As users write it; what is absent comes from the kind and from the layout. */
export const givenGroups: Schema = {
  type: 'array',
  items: closed(GROUP_KEYS, ['name', 'layers']),
  minItems: 1,
  maxItems: MOST_GROUPS,
  description:
    'Instead of numLayers, outerDim and innerDim: groups of equal layers. Every layer of the model is in one of them; layers without a cache per token are of kind state.',
};

const resolvedLayers: Schema = {
  type: 'array',
  items: { type: 'integer', minimum: 0 },
  description: 'Its layers of the model.',
};

/** As it is resolved: what one tensor-parallel rank holds, without state. */
export const resolvedGroups: Schema = {
  type: 'array',
  items: {
    title: 'KvLayoutGroup',
    ...closed({ ...GROUP_KEYS, layers: resolvedLayers }, [
      'name',
      'layers',
      'kind',
      'kvHeads',
      'headDimK',
      'headDimV',
      'window',
      'dtypeWidthBytes',
      'bytesPerToken',
    ]),
  },
  description: 'Where layers are not alike: groups of layers, in the order of a block.',
};
