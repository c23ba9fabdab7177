import t from 'tap';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { JOB_KINDS } from '../../jobs/index.js';
import { projectRoot } from '../../runner/project.js';
import { loadSpec } from '../../runner/job-spec/load.js';
import { generatedFiles } from '../../scripts/generate/schema.js';
import { SPEC_TYPES } from '../../scripts/generate/spec-types.js';
import { printSchema } from '../../runner/cli/print-schema.js';

const read = (name: string): unknown => JSON.parse(readFileSync(join(projectRoot, name), 'utf8'));

t.test('generated files are what the code says: else npm run generate', async (t) => {
  const files = await generatedFiles();
  for (const [name, text] of Object.entries(files))
    t.equal(readFileSync(join(projectRoot, name), 'utf8'), text, name);
  const published = Object.keys(files).filter((name) => name.startsWith('configs/schema/'));
  const there = readdirSync(join(projectRoot, 'configs', 'schema')).map((name) => `configs/schema/${name}`);
  t.same(there.sort(), published.sort());
});

t.test('the published schemas take the shipped specs and refuse an unknown key', async (t) => {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false });
  for (const { kind } of JOB_KINDS)
    ajv.addSchema(read(`configs/schema/${kind}.schema.json`) as object, `${kind}.schema.json`);
  const files = ajv.compile(read('configs/schema/run.schema.json') as object);
  const whole = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(
    JSON.parse(printSchema(undefined, JOB_KINDS).stdout) as object,
  );
  for (const validate of [files, whole]) {
    const spec = read('configs/quickstart.json') as { jobs: Record<string, unknown>[] };
    t.ok(validate(spec), JSON.stringify(validate.errors));
    spec.jobs[0]!['bolcks'] = 1;
    t.notOk(validate(spec));
  }
});

t.test('every key of a published schema says what it is', async (t) => {
  for (const { kind } of JOB_KINDS) {
    const { properties } = read(`configs/schema/${kind}.schema.json`) as {
      properties: Record<string, { description?: string }>;
    };
    for (const [key, schema] of Object.entries(properties)) t.ok(schema.description, `${kind}.${key}`);
  }
});

/** Every shipped spec, by its path from the project's root. */
function shippedSpecs(): string[] {
  return readdirSync(join(projectRoot, 'configs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json') && !/^(schema|models|traces)\//.test(name))
    .map((name) => join('configs', name))
    .sort();
}

t.test('resolved jobs are of the type that the code works with, in every shipped spec', async (t) => {
  const specs = shippedSpecs();
  t.ok(specs.length >= 14, specs.join(' '));
  const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false });
  const generated = new Map(
    SPEC_TYPES.flatMap(({ kinds, schema }) => {
      const validate = ajv.compile(schema);
      return kinds.map((kind) => [kind, validate] as const);
    }),
  );
  const seen = new Set<string>();
  for (const path of specs) {
    const failures = loadSpec(join(projectRoot, path), { kinds: JOB_KINDS }).points.flatMap((point) => {
      seen.add(point.job.kind);
      const validate = generated.get(point.job.kind);
      return validate === undefined || validate(point.spec)
        ? []
        : [`point ${point.index}: ${JSON.stringify(validate.errors)}`];
    });
    t.same(failures, [], path);
  }
  t.same([...seen].sort(), JOB_KINDS.map(({ kind }) => kind).sort(), 'add a spec of the kind to configs/');
});
