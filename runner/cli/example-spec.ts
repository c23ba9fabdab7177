/** The work of `example`: a small spec of one kind, with the meaning of each of its keys as the schema tells it. */
import { EXIT } from '../errors.js';
import type { Schema } from '../job-spec/common-schema.js';
import { isObject } from '../job-spec/pointer.js';
import { jobSchema, keysInSchema } from '../job-spec/schema.js';
import type { SpecKind } from '../job-spec/spec-kind.js';
import { suggestion } from '../job-spec/suggest.js';
import type { CommandResult } from './command-result.js';
import { usageError } from './usage-error.js';

/** Throws E_USAGE for a kind that is not there. */
export function exampleSpec(name: string, kinds: readonly SpecKind[]): CommandResult {
  const kind = kinds.find((candidate) => candidate.kind === name);
  if (kind === undefined) {
    const known = kinds.map((candidate) => candidate.kind);
    throw usageError(
      `example: expected a kind, received ${JSON.stringify(name)}; ${suggestion(name, known)}`,
    );
  }
  const schema = jobSchema(kind);
  const spec = {
    $comment: [
      kind.summary,
      'What it will do: railrunner plan SPEC. Run it on 2 ranks of this machine: railrunner launch -n 2 SPEC',
      `All keys: railrunner schema ${name}, or configs/README.md. No $comment is read.`,
    ],
    name: `${name}-example`,
    jobs: [{ $comment: meanings(kind.example, schema, schema), id: name, kind: name, ...kind.example }],
  };
  return { stdout: JSON.stringify(spec, null, 2), stderr: '', exitStatus: EXIT.ok };
}

/** "layout.model: Instead of ...": one line for each key that has a meaning. */
function meanings(
  value: Readonly<Record<string, unknown>>,
  place: Schema,
  root: Schema,
  prefix = '',
): string[] {
  const known = keysInSchema(place, root);
  return Object.entries(value).flatMap(([key, inner]) => {
    const schema = known[key] ?? {};
    const meaning = schema['description'];
    const own = typeof meaning === 'string' ? [`${prefix}${key}: ${meaning}`] : [];
    return isObject(inner) ? [...own, ...meanings(inner, schema, root, `${prefix}${key}.`)] : own;
  });
}
