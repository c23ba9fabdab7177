/** The work of `schema`. */
import { EXIT } from '../errors.js';
import type { JobKind } from '../job/kind.js';
import { publishedSchema } from '../job-spec/schema.js';
import { suggestion } from '../job-spec/suggest.js';
import type { CommandResult } from './command-result.js';
import { usageError } from './usage-error.js';

/** One kind's schema, or one document that holds all: each kind's under $defs with the name that it is referred to by. */
export function printSchema(kind: string | undefined, kinds: readonly JobKind[]): CommandResult {
  const { 'run.schema.json': run, ...schemas } = publishedSchema(kinds);
  if (kind === undefined) {
    const $defs: Record<string, unknown> = {};
    for (const [name, schema] of Object.entries(schemas))
      $defs[name.replace('.schema.json', '')] = { $id: name, ...schema };
    const whole = { ...run, $defs };
    return { stdout: JSON.stringify(whole, null, 2), stderr: '', exitStatus: EXIT.ok };
  }
  const one = schemas[`${kind}.schema.json`];
  if (one !== undefined) return { stdout: JSON.stringify(one, null, 2), stderr: '', exitStatus: EXIT.ok };
  const known = kinds.map((candidate) => candidate.kind);
  throw usageError(`schema: expected a kind, received ${JSON.stringify(kind)}; ${suggestion(kind, known)}`);
}
