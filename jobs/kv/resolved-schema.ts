/** JSON Schema of a KV job as it is resolved: every default filled, every layout in numbers. */
import { COMMON_JOB_KEYS } from '../../runner/job-spec/common-schema.js';
import type { Schema } from '../../runner/job-spec/common-schema.js';
import { KV_KEYS, LAYOUT_KEYS, TRACE_KEYS, closedObject } from './schema.js';

/** As the run executes it: what KvSpec (kv-spec.ts) is generated from, and resolved points are held to. */
export function kvResolvedSchema(kinds: readonly string[]): Schema {
  const { sweep: _, ...common } = COMMON_JOB_KEYS;
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
      ...closedObject({ ...TRACE_KEYS, sha256: { type: 'string', description: "Of the trace's bytes." } }, [
        'path',
        'blockTokens',
        'requests',
        'sha256',
      ]),
      description: 'Only with order trace; path is as the spec has it.',
    },
  };
  const optional = new Set(['trace']);
  const plain = [
    'kind',
    'blockDim',
    'numLayers',
    'outerDim',
    'pageSize',
    'innerDim',
    'dtypeWidthBytes',
    'alignment',
  ];
  return {
    title: 'KvSpec',
    $defs: { layout: { title: 'KvLayout', ...closedObject(LAYOUT_KEYS, plain) } },
    type: 'object',
    additionalProperties: false,
    properties: all,
    required: Object.keys(all).filter((key) => !optional.has(key)),
  };
}

function requireDefaults(schema: Schema): Schema {
  const inner = schema['properties'] as Readonly<Record<string, Schema>>;
  return { ...schema, required: Object.keys(inner).filter((key) => 'default' in (inner[key] ?? {})) };
}
