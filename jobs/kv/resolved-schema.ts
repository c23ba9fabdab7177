/** JSON Schema of a KV job as it is resolved: every default filled, every layout in numbers. */
import { COMMON_JOB_KEYS, type Schema } from '../../runner/job-spec/common-schema.js';
import { resolvedGroups } from './group-schema.js';
import { LAYOUT_KEYS, closedObject } from './layout-schema.js';
import { KV_KEYS, TRACE_KEYS } from './schema.js';
import { propertiesOf } from '../../runner/job-spec/schema.js';

const RESOLVED_TRACE_KEYS: Readonly<Record<string, Schema>> = {
  sha256: { type: 'string', description: "Of the trace's bytes." },
  groupBlocks: {
    type: 'object',
    additionalProperties: { type: 'integer' },
    description: 'Blocks that move of each group whose window ends, in both directions together.',
  },
};

/** As the run executes it: what KvSpec (spec.generated.ts) is generated from, and resolved points are held to. */
export function kvResolvedSchema(kinds: readonly string[]): Schema {
  const { $comment: _comment, sweep: _sweep, sweepTogether: _together, ...common } = COMMON_JOB_KEYS;
  const all: Record<string, Schema> = {
    ...common,
    ...KV_KEYS,
    kind: { enum: kinds },
    layout: { $ref: '#/$defs/layout' },
    hostLayout: { $ref: '#/$defs/layout' },
    diskLayout: { $ref: '#/$defs/layout' },
    pools: requireDefaults(KV_KEYS['pools'] ?? {}),
    disk: requireDefaults(KV_KEYS['disk'] ?? {}),
    trace: {
      ...closedObject({ ...TRACE_KEYS, ...RESOLVED_TRACE_KEYS }, [
        'path',
        'blockTokens',
        'requests',
        'sha256',
      ]),
      description: 'Only with order trace; path is as the spec has it.',
    },
  };
  const optional = new Set(['trace', 'stopping']);
  const plain = ['kind', 'blockDim', 'numLayers', 'pageSize', 'dtypeWidthBytes', 'alignment'];
  return {
    title: 'KvSpec',
    $defs: {
      layout: { title: 'KvLayout', ...closedObject({ ...LAYOUT_KEYS, groups: resolvedGroups }, plain) },
    },
    type: 'object',
    additionalProperties: false,
    properties: all,
    required: Object.keys(all).filter((key) => !optional.has(key)),
  };
}

function requireDefaults(schema: Schema): Schema {
  const inner = propertiesOf(schema);
  return { ...schema, required: Object.keys(inner).filter((key) => 'default' in (inner[key] ?? {})) };
}
