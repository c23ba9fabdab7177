/** JSON Schema of a dispatchCombine job as it is resolved: every default filled, the routing of one kind. */
import { COMMON_JOB_KEYS, type Schema } from '../../runner/job-spec/common-schema.js';
import { moeSchema, ROUTING_DEFAULTS } from './schema.js';
import { propertiesOf } from '../../runner/job-spec/schema.js';

const own = propertiesOf(moeSchema);
const routingKeys = propertiesOf(own['routing'] ?? {});

/** One member for each kind of routing, closed: what `resolve` leaves in place. */
function routingOfKind(kind: string): Schema {
  const names = ['maskedFraction', ...Object.keys(ROUTING_DEFAULTS[kind] ?? {})];
  const properties: Record<string, Schema> = { kind: { const: kind } };
  for (const name of names) properties[name] = routingKeys[name] ?? {};
  if (kind === 'file') properties['sha256'] = { type: 'string', description: "Of the file's bytes." };
  return { type: 'object', additionalProperties: false, properties, required: Object.keys(properties) };
}

/** As the run executes it: what MoeSpec (spec.generated.ts) is generated from, and resolved points are checked against. */
export function moeResolvedSchema(): Schema {
  const { $comment: _comment, sweep: _sweep, sweepTogether: _together, ...common } = COMMON_JOB_KEYS;
  const properties: Record<string, Schema> = {
    ...common,
    ...own,
    kind: { const: 'dispatchCombine' },
    routing: { $ref: '#/$defs/routing' },
  };
  return {
    title: 'MoeSpec',
    $defs: { routing: { title: 'RoutingSpec', oneOf: Object.keys(ROUTING_DEFAULTS).map(routingOfKind) } },
    type: 'object',
    additionalProperties: false,
    properties,
    required: Object.keys(properties).filter((key) => key !== 'model' && key !== 'stopping'),
  };
}
