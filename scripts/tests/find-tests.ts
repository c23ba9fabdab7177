/** Which compiled test files there are, and which of them must have the machine to themselves. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface TestFile {
  /** Path of the compiled file. */
  readonly path: string;
  /** Path relative to dist, for people: test/rules/lengths.test.js. */
  readonly name: string;
  /** Starts ranks, hosts or Slurm: never runs at the same time as another that does, so that its deadlines mean something. */
  readonly heavy: boolean;
}

/** A file says so of itself, with the reason: `// small worlds: two ranks, no deadlines`. */
const SMALL_WORLDS = /^\/\/ small worlds: \S/m;
const HEAVY_IMPORT = /from ['"][^'"]*\/(mpirun|hosts|slurm)\.js['"]/;

export function findTests(distFolder: string, filters: readonly string[]): TestFile[] {
  const found = readdirSync(join(distFolder, 'test'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return found
    .map((path) => {
      const text = readFileSync(path, 'utf8');
      const heavy = HEAVY_IMPORT.test(text) && !SMALL_WORLDS.test(text);
      return { path, name: relative(distFolder, path), heavy };
    })
    .filter(({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)));
}
