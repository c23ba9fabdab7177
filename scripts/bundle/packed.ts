/**
 * The program's JavaScript in few files. A rank loads 300 modules and a launcher as many: a quarter of the CPU time of their
 * start is finding, opening and linking them, on every rank of a host at once.
 */
import { buildSync } from 'esbuild';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Below the bundle's folder. The modules themselves stay next to it: benchmarks and tests import them. */
export const PACKED_FOLDER = 'dist/packed';

/** Where threads begin: started by a path relative to the module that starts them. */
const THREAD_FOLDER = 'jobs/dispatch-combine/thread';

/** What bin/railrunner imports, as paths below dist/. */
function importedByLauncher(root: string): string[] {
  const launcher = readFileSync(join(root, 'bin', 'railrunner'), 'utf8');
  const names = [...launcher.matchAll(/'\.\.\/dist\/([^']+\.js)'/g)].map(([, name = '']) => name);
  if (names.length === 0) throw new Error("bin/railrunner: expected imports of '../dist/...js', received none");
  return names;
}

/** Fills PACKED_FOLDER of the bundle from the modules in `root`'s dist/. */
export function packModules(root: string, folder: string): void {
  const entries = [...importedByLauncher(root), `${THREAD_FOLDER}/main.js`];
  buildSync({
    absWorkingDir: root,
    entryPoints: entries.map((name) => join('dist', name)),
    outdir: join(folder, PACKED_FOLDER),
    outbase: 'dist',
    bundle: true,
    splitting: true,
    // What several entries share lies next to the thread's: a module that starts it finds it by its own path.
    chunkNames: `${THREAD_FOLDER}/[name]-[hash]`,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Only reports load them.
    external: ['vega', 'vega-lite'],
    // Packages of the other module system ask for Node's own modules by require().
    banner: {
      js: "import { createRequire as requireOfPacked } from 'node:module'; const require = requireOfPacked(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
