/** JSON Schema of a replay as it is resolved: layouts in numbers, what the trace's first lines tell. */
import { COMMON_JOB_KEYS, type Schema } from '../../runner/job-spec/common-schema.js';
import { resolvedGroups } from '../kv/group-schema.js';
import { LAYOUT_KEYS, closedObject } from '../kv/layout-schema.js';
import { REPLAY_KEYS, TRACE_KEYS } from './schema.js';

/** As the run executes it: what ReplaySpec (spec.generated.ts) is generated from, and resolved points are checked against. */
export function replayResolvedSchema(): Schema {
  const {
    $comment: _comment,
    sweep: _sweep,
    sweepTogether: _together,
    stopping: _stopping,
    ...common
  } = COMMON_JOB_KEYS;
  const properties: Record<string, Schema> = {
    ...common,
    ...REPLAY_KEYS,
    kind: { const: 'replay' },
    layout: { $ref: '#/$defs/layout' },
    hostLayout: { $ref: '#/$defs/layout' },
    diskLayout: { $ref: '#/$defs/layout' },
    trace: {
      ...closedObject(
        {
          ...TRACE_KEYS,
          format: { type: 'string', description: 'As its first lines tell it.' },
          sha256: { type: 'string', description: "Of the file's bytes." },
        },
        ['path', 'blockTokens', 'skip', 'onBadLine', 'format', 'sha256'],
      ),
      description: 'The requests.',
    },
    pools: { ...REPLAY_KEYS['pools'], required: ['deviceBlocks', 'diskPath'] },
    disk: { ...REPLAY_KEYS['disk'], required: ['queueDepth', 'requestBytes'] },
  };
  const plain = ['kind', 'blockDim', 'numLayers', 'pageSize', 'dtypeWidthBytes', 'alignment'];
  return {
    title: 'ReplaySpec',
    $defs: {
      layout: { title: 'ReplayLayout', ...closedObject({ ...LAYOUT_KEYS, groups: resolvedGroups }, plain) },
    },
    type: 'object',
    additionalProperties: false,
    properties,
    required: Object.keys(properties),
  };
}
