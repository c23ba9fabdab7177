/** Writes the published schemas, their reference for people, and the TypeScript types of resolved jobs. A test holds the files equal to this. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from 'json-schema-to-typescript';
import prettier from 'prettier';
import { JOB_KINDS } from '../../jobs/index.js';
import { moeResolvedSchema } from '../../jobs/dispatch-combine/resolved-schema.js';
import { kvResolvedSchema } from '../../jobs/kv/resolved-schema.js';
import { replayResolvedSchema } from '../../jobs/replay/resolved-schema.js';
import { transferResolvedSchema } from '../../jobs/transfer/resolved-schema.js';
import type { Schema } from '../../runner/job-spec/common-schema.js';
import { projectRoot } from '../../runner/project.js';
import { publishedSchema } from '../../runner/job-spec/schema.js';
import { specReference } from './spec-reference.js';

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
  const kv = await typeOf(
    kvResolvedSchema(['offload', 'onboard', 'broadcast']),
    'KvSpec',
    'offload, onboard or broadcast job',
    'jobs/kv',
  );
  files['jobs/kv/spec.generated.ts'] = await prettier.format(kv, typescript);
  const moe = await typeOf(moeResolvedSchema(), 'MoeSpec', 'dispatchCombine job', 'jobs/dispatch-combine');
  files['jobs/dispatch-combine/spec.generated.ts'] = await prettier.format(moe, typescript);
  const transfer = await typeOf(transferResolvedSchema(), 'TransferSpec', 'transfer job', 'jobs/transfer');
  files['jobs/transfer/spec.generated.ts'] = await prettier.format(transfer, typescript);
  const replay = await typeOf(replayResolvedSchema(), 'ReplaySpec', 'replay job', 'jobs/replay');
  files['jobs/replay/spec.generated.ts'] = await prettier.format(replay, typescript);
  return files;
}

/** The TypeScript type of a resolved job, from its schema: what a kind's own code reads. */
function typeOf(schema: Schema, name: string, what: string, folder: string): Promise<string> {
  return compile(JSON.parse(JSON.stringify(schema)), name, {
    bannerComment: `/** A resolved ${what}. Generated from ${folder}/resolved-schema.ts by \`npm run generate\`. */`,
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
