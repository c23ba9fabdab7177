import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { jobSchema, keysInSchema, publishedSchema } from '../../../runner/job-spec/schema.js';
import { compileValidator, describeSchema } from '../../../runner/job-spec/validate.js';
import { jobIssues, offloadJob } from './spec-fixture.js';

/** Keywords that limit a value and that `describeSchema` puts into words. */
const WORDED =
  'type enum const anyOf oneOf $ref multipleOf pattern minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems uniqueItems';
/** Keywords that limit nothing by themselves, or whose failures are reported one by one where they are. */
const SILENT = 'description title default $defs properties required items additionalProperties';

function keywordsOf(schema: unknown, found: Set<string>): Set<string> {
  if (typeof schema !== 'object' || schema === null) return found;
  for (const [keyword, value] of Object.entries(schema)) {
    found.add(keyword);
    if (keyword === 'properties' || keyword === '$defs') {
      for (const inner of Object.values(value as object)) keywordsOf(inner, found);
    } else if (keyword === 'items' || keyword === 'additionalProperties') keywordsOf(value, found);
    else if (keyword === 'anyOf' || keyword === 'oneOf')
      for (const one of value as unknown[]) keywordsOf(one, found);
  }
  return found;
}

t.test('every keyword that a schema uses is put into words', async (t) => {
  const used = new Set<string>();
  for (const kind of JOB_KINDS) keywordsOf(jobSchema(kind), used);
  const run = publishedSchema(JOB_KINDS)['run.schema.json'] ?? {};
  const { jobs: _, ...properties } = run['properties'] as Record<string, unknown>;
  keywordsOf({ properties }, used);
  const known = new Set([...WORDED.split(' '), ...SILENT.split(' ')]);
  t.same(
    [...used].filter((keyword) => !known.has(keyword)),
    [],
    'describeSchema() in runner/job-spec/validate.ts knows them, or this list says why not',
  );
});

t.test('the words', async (t) => {
  const cases: [object, string][] = [
    [{ type: 'array', minItems: 2, maxItems: 2 }, 'list of exactly 2 elements'],
    [{ type: 'array', minItems: 1 }, 'list of at least 1 element'],
    [{ type: 'array', maxItems: 3 }, 'list of at most 3 elements'],
    [{ type: 'array', minItems: 1, maxItems: 3 }, 'list of 1 to 3 elements'],
    [{ type: 'array', minItems: 1, uniqueItems: true }, 'list of at least 1 element, each once'],
    [{ type: 'string', minLength: 1, maxLength: 64 }, 'string of 1 to 64 characters'],
    [{ type: 'integer', minimum: 0, maximum: 4 }, 'integer from 0 to 4'],
    [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, 'integer >= 0'],
    [{ type: 'number', exclusiveMinimum: 0, maximum: 5 }, 'number > 0, at most 5'],
    [{ type: 'number', minimum: 0, exclusiveMaximum: 1 }, 'number >= 0, < 1'],
    [{ type: 'number', maximum: 1 }, 'number at most 1'],
    [{ type: 'integer', multipleOf: 8 }, 'integer a multiple of 8'],
  ];
  for (const [schema, words] of cases) t.equal(describeSchema(schema as never), words);
  t.match(jobIssues(offloadJob({ layerRange: [0, 1, 2] })), [
    { pointer: '/jobs/0/layerRange', expected: 'list of exactly 2 elements', received: '[0,1,2]' },
  ]);
});

t.test('what a schema leaves out is said too', async (t) => {
  const validate = compileValidator({
    type: 'object',
    required: ['count', 'any'],
    properties: { count: { type: 'integer', description: 'How many.' }, mode: { const: 'fast' } },
  });
  t.match(validate({ mode: 'fats' }).issues, [
    { pointer: '/count', expected: 'integer', hint: 'How many.' },
    { pointer: '/any', expected: 'value', hint: 'add the key' },
    { pointer: '/mode', expected: '"fast"', received: '"fats"', hint: 'did you mean "fast"?' },
  ]);
});

t.test('keys of all alternatives of an object can be swept', async (t) => {
  const [a, b, c] = [{ type: 'integer' }, { type: 'string' }, { type: 'boolean' }] as const;
  const root = { $defs: { other: { type: 'object', properties: { b } } } };
  const schema = {
    properties: { c },
    anyOf: [{ type: 'object', properties: { a } }, { $ref: '#/$defs/other' }],
  };
  t.same(keysInSchema(schema as never, root as never), { a, b, c });
});
