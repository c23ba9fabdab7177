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

/** Written by setup after a build (scripts/setup/commit.mjs), and carried by the bundle. */
const COMMIT_FILE = join(projectRoot, 'dist', 'commit.json');

/** The commit that this build is made of, with `+changes` behind it where the tree differed; null outside of Git. */
export function buildCommit(): string | null {
  if (!existsSync(COMMIT_FILE)) return null;
  const { commit } = parseJsonObject(readFileSync(COMMIT_FILE, 'utf8'));
  return typeof commit === 'string' ? commit : null;
}

/** This build's version. */
export function railrunnerVersion(): string {
  return String(parseJsonObject(readFileSync(join(projectRoot, 'package.json'), 'utf8'))['version']);
}
