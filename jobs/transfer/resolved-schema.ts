/** JSON Schema of a transfer as it is resolved: both layouts in numbers, the matrix in blocks. */
import { COMMON_JOB_KEYS, type Schema } from '../../runner/job-spec/common-schema.js';
import { resolvedGroups } from '../kv/group-schema.js';
import { LAYOUT_KEYS, closedObject } from '../kv/layout-schema.js';
import { MODEL_KEYS, SIDE_KEYS, TRANSFER_KEYS } from './schema.js';

const OPTIONAL_KEYS: ReadonlySet<string> = new Set(['matrix', 'networkTransport', 'stopping']);

/** As the run executes it: what TransferSpec (spec.generated.ts) is generated from, and resolved points are checked against. */
export function transferResolvedSchema(): Schema {
  const { $comment: _comment, sweep: _sweep, sweepTogether: _together, ...common } = COMMON_JOB_KEYS;
  const said = Object.fromEntries(MODEL_KEYS.map((key) => [key, LAYOUT_KEYS[key] ?? {}]));
  const side = Object.keys(SIDE_KEYS);
  const properties: Record<string, Schema> = {
    ...common,
    ...TRANSFER_KEYS,
    kind: { const: 'transfer' },
    layout: { $ref: '#/$defs/layout' },
    targetLayout: { $ref: '#/$defs/layout' },
    numLayers: { type: 'integer', description: 'Layers that keep anything.' },
    matrix: {
      ...closedObject(
        {
          path: { type: 'string' },
          sha256: { type: 'string', description: "Of the file's bytes." },
          blocks: {
            type: 'array',
            items: { type: 'array', items: { type: 'integer' } },
            description: 'By sending and receiving unit.',
          },
        },
        ['path', 'sha256', 'blocks'],
      ),
      description: 'Only with pattern matrix.',
    },
  };
  return {
    title: 'TransferSpec',
    $defs: {
      layout: {
        title: 'TransferLayout',
        ...closedObject({ ...SIDE_KEYS, ...said, groups: resolvedGroups }, [...side, 'groups']),
      },
    },
    type: 'object',
    additionalProperties: false,
    properties,
    required: Object.keys(properties).filter((key) => !OPTIONAL_KEYS.has(key)),
  };
}
