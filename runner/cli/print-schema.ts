/** The work of `schema`. */
import { JOB_KINDS } from '../../jobs/index.js';
import { EXIT } from '../errors.js';
import { publishedSchema } from '../spec/schema.js';
import { suggestion } from '../spec/suggest.js';
import type { CommandResult } from './command-result.js';

/** One kind's schema, or one document that holds all: each kind's under $defs with the name that it is referred to by. */
export function printSchema(kind: string | undefined): CommandResult {
  const { 'run.schema.json': run, ...kinds } = publishedSchema(JOB_KINDS);
  if (kind === undefined) {
    const definitions = Object.entries(kinds).map(([name, schema]) => [
      name.replace('.schema.json', ''),
      { $id: name, ...schema },
    ]);
    const whole = { ...run, $defs: Object.fromEntries(definitions) as Record<string, unknown> };
    return { stdout: JSON.stringify(whole, null, 2), stderr: '', exitStatus: EXIT.ok };
  }
  const one = kinds[`${kind}.schema.json`];
  if (one !== undefined) return { stdout: JSON.stringify(one, null, 2), stderr: '', exitStatus: EXIT.ok };
  const known = JOB_KINDS.map((candidate) => candidate.kind);
  const stderr = `schema: expected a kind, received ${JSON.stringify(kind)}; ${suggestion(kind, known)}`;
  return { stdout: '', stderr, exitStatus: EXIT.usage };
}
