/** What this rank's program is, byte for byte: builds that carry one version number may still differ. */
import { codeOf, messageOf } from '../errors.js';
import { createHash, type Hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { projectRoot } from '../project.js';

/** Compiled JavaScript that a run loads; tests and scripts in the same folder do not matter. */
const CODE_FOLDERS = ['dist/runner', 'dist/jobs'];
/** Of a SHA-256: enough to tell builds apart, short enough for a message. */
const SHOWN_DIGITS = 12;

/** By what is hashed, as a message names it. */
export type BuildDigests = Readonly<Record<string, string>>;

/** `nativeFiles`: paths of the shared libraries that this rank has loaded. Takes 15 ms for 7 MB that are cached. */
export function buildDigests(nativeFiles: readonly string[], root = projectRoot): BuildDigests {
  const digests: Record<string, string> = { 'dist/': digestOf((hash) => addCode(hash, root)) };
  for (const path of nativeFiles)
    digests[basename(path)] = digestOf((hash) => hash.update(readFileSync(path)));
  return digests;
}

function digestOf(fill: (hash: Hash) => void): string {
  const hash = createHash('sha256');
  try {
    fill(hash);
  } catch (error) {
    // It was there when it was loaded: a file that is replaced right now is not that of the others either.
    return `unreadable (${codeOf(error) /* v8 ignore next -- mistake */ ?? messageOf(error)})`;
  }
  return hash.digest('hex').slice(0, SHOWN_DIGITS);
}

/** Names and contents of all modules, in one order on every file system. */
function addCode(hash: Hash, root: string): void {
  for (const folder of CODE_FOLDERS) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((file) => file.endsWith('.js')).toSorted()) {
      const bytes = readFileSync(join(root, folder, name));
      hash.update(`${folder}/${name} ${bytes.length}\n`).update(bytes);
    }
  }
}
