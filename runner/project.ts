/** Where the project's own files (schemas, presets, native build) lie, from the sources' and from dist/'s side alike. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseJsonObject } from './values/json.js';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
  return folder;
}

export const projectRoot = findRoot();

/** This build's version. */
export function railrunnerVersion(): string {
  return String(parseJsonObject(readFileSync(join(projectRoot, 'package.json'), 'utf8'))['version']);
}
