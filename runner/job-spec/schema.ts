/** Puts the common part and a kind's own keys together: for validation here, and published for editors. */
import { COMMON_JOB_KEYS, RUN_KEYS, SCHEMA_DIALECT, type Schema } from './common-schema.js';
import type { SpecKind } from './spec-kind.js';

/** A schema's key -> schema map; {} where it has none. */
export function propertiesOf(schema: Schema): Readonly<Record<string, Schema>> {
  return schema.properties ?? {};
}

/** The schema of one whole job of that kind, sweep applied. */
export function jobSchema(kind: SpecKind): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    ...(kind.schema.$defs ? { $defs: kind.schema.$defs } : {}),
    properties: {
      ...COMMON_JOB_KEYS,
      ...propertiesOf(kind.schema),
      kind: { const: kind.kind, description: kind.summary },
    },
    required: ['id', 'kind', ...(kind.schema.required ?? [])],
  };
}

/** The schema of the document around the jobs. */
export function runSchema(jobs: Schema): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...RUN_KEYS,
      jobs: { type: 'array', minItems: 1, items: jobs, description: 'What runs, in order.' },
    },
    required: ['jobs'],
  };
}

/** Follows a local `$ref` ("#/$defs/name") to what it means. */
export function dereference(schema: Schema, root: Schema): Schema {
  const { $ref: reference, ...own } = schema;
  if (reference === undefined) return schema;
  const target = root.$defs?.[reference.replace('#/$defs/', '')];
  if (target === undefined) throw new Error(`schema refers to ${reference}, which is not there`);
  return { ...target, ...own };
}

/** Keys that an object of this schema may have, through its alternatives; empty where it is not an object. */
export function keysInSchema(schema: Schema, root: Schema): Readonly<Record<string, Schema>> {
  const meant = dereference(schema, root);
  const keys: Record<string, Schema> = {};
  for (const alternative of [...(meant.anyOf ?? []), ...(meant.oneOf ?? [])])
    Object.assign(keys, keysInSchema(alternative, root));
  return { ...keys, ...propertiesOf(meant) };
}

/** What an editor is given: file name -> schema, one for the document and one per kind. */
export function publishedSchema(kinds: readonly SpecKind[]): Readonly<Record<string, Schema>> {
  const files: Record<string, Schema> = {};
  for (const kind of kinds) {
    const { required, ...schema } = jobSchema(kind);
    files[`${kind.kind}.schema.json`] = {
      $schema: SCHEMA_DIALECT,
      title: `railrunner job of kind ${kind.kind}`,
      description: kind.summary,
      ...schema,
      required: ['id', 'kind'],
      // A key may come from a sweep instead.
      if: { not: { anyOf: [{ required: ['sweep'] }, { required: ['sweepTogether'] }] } },
      then: { required },
    };
  }
  const jobs = {
    type: 'object',
    required: ['id', 'kind'],
    properties: { kind: { enum: kinds.map((kind) => kind.kind) } },
    allOf: kinds.map((kind) => ({
      if: { properties: { kind: { const: kind.kind } }, required: ['kind'] },
      then: { $ref: `${kind.kind}.schema.json` },
    })),
  };
  files['run.schema.json'] = { $schema: SCHEMA_DIALECT, title: 'railrunner spec', ...runSchema(jobs) };
  return files;
}
