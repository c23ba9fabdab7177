/** ajv's verdict as issues: strict, all at once, nothing coerced, nothing removed, no default filled in. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { showValue, type SpecIssue } from './issue.js';
import { LARGEST_INTEGER, type Schema } from './common-schema.js';
import { pointerOf, keysOf } from './pointer.js';
import { suggestion } from './suggest.js';
import { counted } from '../text/plural.js';
import { propertiesOf } from './schema.js';

const ajv = new Ajv2020({
  strict: true,
  strictRequired: false,
  strictTypes: true,
  allowUnionTypes: true,
  allErrors: true,
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  verbose: true,
  ownProperties: true,
  // Each start of the program and each rank compiles the schemas of its jobs, and checks a few hundred values with them:
  // what makes checking fast costs more than it gives. That the schemas are valid is a test (test/rules/generated).
  code: { optimize: false },
  inlineRefs: false,
  validateSchema: false,
});

export interface Validation {
  readonly issues: readonly SpecIssue[];
  /** Every known key is legal: rules across keys can be asked, whatever unknown keys there are. */
  readonly knownKeysLegal: boolean;
}

export type Validator = (value: unknown) => Validation;

export function compileValidator(schema: Schema): Validator {
  const validate = ajv.compile(schema) as ValidateFunction;
  return (value) => {
    if (validate(value)) return { issues: [], knownKeysLegal: true };
    const errors = validate.errors /* v8 ignore next -- mistake */ ?? [];
    const knownKeysLegal = errors.every((error) => error.keyword === 'additionalProperties');
    return { issues: issuesOf(errors), knownKeysLegal };
  };
}

function issuesOf(errors: readonly ErrorObject[]): SpecIssue[] {
  // A failed anyOf also reports each alternative's own complaint; the one sentence about all of them says more.
  const folded = errors.filter((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  const kept = errors.filter(
    (error) =>
      !folded.some((outer) => outer !== error && error.schemaPath.startsWith(`${outer.schemaPath}/`)),
  );
  return kept.map(issueOf);
}

function issueOf(error: ErrorObject): SpecIssue {
  const { keyword, instancePath, params, data } = error;
  const parent: Schema = error.parentSchema /* v8 ignore next -- mistake */ ?? {}; // `verbose` gives it
  const properties = propertiesOf(parent);
  if (keyword === 'required') {
    const missing = String(params['missingProperty']);
    return {
      pointer: instancePath + pointerOf([missing]),
      expected: describeSchema(properties[missing] ?? {}),
      received: 'nothing: the key is missing',
      hint: hintOf(properties[missing]) ?? 'add the key',
    };
  }
  if (keyword === 'additionalProperties') {
    const unknown = String(params['additionalProperty']);
    return {
      pointer: instancePath + pointerOf([unknown]),
      expected: 'a known key',
      received: JSON.stringify(unknown),
      hint: suggestion(unknown, Object.keys(properties)),
    };
  }
  const issue = { pointer: instancePath, expected: describeSchema(parent), received: received(parent, data) };
  const words = wordsOf(parent);
  if (typeof data === 'string' && words.length > 0) return { ...issue, hint: suggestion(data, words) };
  const hint = hintOf(parent);
  return hint === undefined ? issue : { ...issue, hint };
}

function hintOf(schema: Schema | undefined): string | undefined {
  return schema?.description;
}

function wordsOf(schema: Schema): string[] {
  const words = schema.enum ?? ('const' in schema ? [schema.const] : []);
  return words.filter((word) => typeof word === 'string');
}

/** Value with its type where the type is what is wrong: "4" and 4 look alike in a terminal. */
function received(schema: Schema, data: unknown): string {
  // Only integers that numbers do not hold exactly arrive as BigInt.
  if (typeof data === 'bigint') return `${data}, which is beyond ${LARGEST_INTEGER} (2^53 - 1)`;
  const type = data === null ? 'null' : Array.isArray(data) ? 'array' : typeof data;
  const types = [schema.type ?? type].flat();
  const matches = types.some((name) => name === type || (name === 'integer' && type === 'number'));
  return matches || type === 'null'
    ? showValue(data)
    : `${type === 'array' ? 'list' : type} ${showValue(data)}`;
}

/** A schema in words: "integer from 1 to 64", "one of \"a\", \"b\"". */
export function describeSchema(schema: Schema): string {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return alternatives.map(describeSchema).join(' or ');
  if ('const' in schema) return JSON.stringify(schema['const']);
  if (schema.enum) return `one of ${schema.enum.map((word) => JSON.stringify(word)).join(', ')}`;
  if (typeof schema['$ref'] === 'string') return 'object';
  const types = [schema['type'] ?? 'value'].flat().map((name) => (name === 'array' ? 'list' : String(name)));
  const parts = [types.join(' or ')];
  parts.push(...rangeWords(schema));
  if ('multipleOf' in schema) parts.push(`a multiple of ${schema['multipleOf']}`);
  if ('pattern' in schema) parts.push(`matching ${schema['pattern']}`);
  parts.push(...lengthWords(schema, 'Length', 'character'), ...lengthWords(schema, 'Items', 'element'));
  if (schema['uniqueItems'] === true) parts.push('each once');
  return parts.join(', ').replace(', ', ' ');
}

function rangeWords(schema: Schema): string[] {
  // A limit that is only "what numbers hold" tells a reader nothing.
  const most = schema['maximum'] === LARGEST_INTEGER ? undefined : schema['maximum'];
  const { minimum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (minimum !== undefined && most !== undefined) return [`from ${minimum} to ${most}`];
  return [
    ...(minimum === undefined ? [] : [`>= ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`> ${exclusiveMinimum}`]),
    ...(exclusiveMaximum === undefined ? [] : [`< ${exclusiveMaximum}`]),
    ...(most === undefined ? [] : [`at most ${most}`]),
  ];
}

/** "of exactly 2 elements", from `minItems` and `maxItems` (`minLength` and `maxLength`). */
function lengthWords(schema: Schema, what: 'Length' | 'Items', unit: string): string[] {
  const [least, most] = [schema[`min${what}`], schema[`max${what}`]];
  const units = (count: number): string => counted(count, unit);
  if (least !== undefined && least === most) return [`of exactly ${units(least)}`];
  if (least !== undefined && most !== undefined) return [`of ${least} to ${units(most)}`];
  if (least !== undefined) return [`of at least ${units(least)}`];
  return most === undefined ? [] : [`of at most ${units(most)}`];
}

/** The same issues seen from the document: the job's place goes in front. */
export function under(prefix: readonly (string | number)[], issues: readonly SpecIssue[]): SpecIssue[] {
  return issues.map((issue) => ({ ...issue, pointer: pointerOf(prefix) + pointerOf(keysOf(issue.pointer)) }));
}
