/** Writes the published schemas, their reference for people, and the TypeScript types of resolved jobs. A test holds the files equal to this. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from 'json-schema-to-typescript';
import prettier from 'prettier';
import { JOB_KINDS } from '../../jobs/index.js';
import { projectRoot } from '../../runner/project.js';
import { publishedSchema } from '../../runner/job-spec/schema.js';
import { specReference } from './spec-reference.js';
import { SPEC_TYPES, type SpecType } from './spec-types.js';

/** Path from the project's root -> text. */
export async function generatedFiles(): Promise<Record<string, string>> {
  const style = JSON.parse(readFileSync(join(projectRoot, '.prettierrc.json'), 'utf8')) as prettier.Options;
  const files: Record<string, string> = {};
  for (const [name, schema] of Object.entries(publishedSchema(JOB_KINDS))) {
    files[`configs/schema/${name}`] = await prettier.format(JSON.stringify(schema), {
      ...style,
      parser: 'json',
    });
  }
  files['configs/README.md'] = await prettier.format(specReference(JOB_KINDS), {
    ...style,
    parser: 'markdown',
  });
  const typescript = { ...style, parser: 'typescript' };
  for (const type of SPEC_TYPES) {
    files[`${type.folder}/spec.generated.ts`] = await prettier.format(await typescriptOf(type), typescript);
  }
  return files;
}

/** The TypeScript type of a resolved job, from its schema: what a kind's own code reads. */
function typescriptOf({ name, kinds, folder, schema }: SpecType): Promise<string> {
  const last = kinds.at(-1) ?? '';
  const what = kinds.length === 1 ? last : `${kinds.slice(0, -1).join(', ')} or ${last}`;
  return compile(JSON.parse(JSON.stringify(schema)), name, {
    bannerComment: `/** A resolved ${what} job. Generated from ${folder}/resolved-schema.ts by \`npm run generate\`. */`,
    additionalProperties: false,
    format: false,
  });
}

const main = process.argv[1];
if (main !== undefined && import.meta.url === pathToFileURL(main).href) {
  for (const [name, text] of Object.entries(await generatedFiles())) {
    const path = join(projectRoot, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
