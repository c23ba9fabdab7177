/** configs/README.md: every key of a spec with its meaning, its values and its default, from the schemas. */
import { modelPresets } from '../../jobs/kv/models/find-model.js';
import { COMMON_JOB_KEYS, type Schema } from '../../runner/job-spec/common-schema.js';
import type { SpecKind } from '../../runner/job-spec/spec-kind.js';
import { dereference, propertiesOf, runSchema } from '../../runner/job-spec/schema.js';
import { describeSchema } from '../../runner/job-spec/validate.js';

const HEAD = `# Specs

Written by \`npm run generate\` from the schemas: change those, not this page.

A spec is one JSON object. \`quickstart.json\` is one that runs on a laptop; \`schema/\` holds the JSON Schemas for
editors (\`"$schema": "./schema/run.schema.json"\`), \`models/\` and \`traces/\` what the quickstart reads.

- A \`sweep\` maps dotted key paths to lists; the job runs once for each member of the product, the first key slowest.
- \`sweepTogether\` is a list of rows of dotted key paths and values that change together; the job, with its \`sweep\`, runs once
  for each row.
- Precedence: command line (\`--set path=value\`, \`--device\`, ...) > environment > job > \`defaults\` > default.
- A relative path of a model or trace is looked for next to the spec, then in the working folder.
- Every issue is reported at once, by JSON Pointer; nothing is coerced, clamped or ignored.
`;

function rows(properties: Readonly<Record<string, Schema>>, root: Schema, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([key, property]) => {
    const schema = dereference(property, root);
    const initial = 'default' in schema ? `\`${JSON.stringify(schema.default)}\`` : '';
    const values = describeSchema(schema).replaceAll('|', '\\|');
    const inner = key === 'defaults' ? [] : rows(propertiesOf(schema), root, `${prefix}${key}.`);
    return [`| \`${prefix}${key}\` | ${values} | ${initial} | ${schema.description ?? ''} |`, ...inner];
  });
}

function table(title: string, properties: Readonly<Record<string, Schema>>, root: Schema): string {
  const head = '| key | values | default | meaning |\n|---|---|---|---|';
  return [`## ${title}`, '', head, ...rows(properties, root), ''].join('\n');
}

export function specReference(kinds: readonly SpecKind[]): string {
  const run = runSchema({ type: 'object' });
  const sections = [
    HEAD,
    table('The document', propertiesOf(run), run),
    table('Every job', COMMON_JOB_KEYS, {}),
  ];
  const bySchema = new Map<Schema, SpecKind[]>();
  for (const kind of kinds) bySchema.set(kind.schema, [...(bySchema.get(kind.schema) ?? []), kind]);
  for (const [schema, sharers] of bySchema) {
    const title = `Jobs of kind ${sharers.map(({ kind }) => `\`${kind}\``).join(' and ')}`;
    const required = ((schema['required'] ?? []) as string[]).map((key) => `\`${key}\``).join(', ');
    const summaries = sharers.map(({ kind, summary }) => `- \`${kind}\`: ${summary}`);
    const text = table(title, propertiesOf(schema), schema);
    sections.push([text, ...summaries, '', `Required: ${required}.`, ''].join('\n'));
  }
  const names = Object.keys(modelPresets()).map((name) => `\`${name}\``);
  sections.push(`## Model presets\n\n${names.join(', ')}.\n`);
  return sections.join('\n');
}
