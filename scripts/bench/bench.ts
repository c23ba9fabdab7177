/**
 * `npm run bench [-- --quick] [--device host|cuda] [--only NAME,...]`: runs the suites, keeps each run's summary.csv
 * as docs/bench/NAME.csv and rewrites the tables of docs/performance.md and docs/bench. Fails if a run fails, never because of a time.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../runner/project.js';
import { keepSummary } from './keep-summary.js';
import { nativeBenches } from './native-benches.js';
import { measureNative } from './native-program.js';
import { measureRouting } from './routing.js';
import { measureStartup } from './startup.js';
import { measureTransferHost } from './transfer-host.js';
import { commandOf, missing, SUITES, type Suite } from './suites.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    device: { type: 'string', default: 'host' },
    only: { type: 'string' },
    ranks: { type: 'string' },
    out: { type: 'string', default: join(projectRoot, 'docs', 'bench') },
  },
});

/** Runs one suite; returns its exit status. */
function runSuite(suite: Suite, resultsFolder: string): number {
  const ranks = values.ranks === undefined ? suite.ranks : Number(values.ranks);
  const spec = join(projectRoot, 'configs', suite.spec ?? join('bench', `${suite.name}.json`));
  const words = [spec, '--out', resultsFolder, '--run-id', suite.name, ...(suite.args ?? [])];
  const ended = spawnSync(...commandOf(suite, ranks, words), { stdio: 'inherit' });
  if (ended.status === 0) {
    keepSummary(join(resultsFolder, suite.name), join(values.out, `${suite.name}.csv`));
  }
  return ended.status ?? 1;
}

const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
const resultsFolder = join(projectRoot, 'results', `bench-${stamp}`);
mkdirSync(resultsFolder, { recursive: true });
mkdirSync(values.out, { recursive: true });
const wanted = values.only?.split(',');
const own = ['startup', 'routing', 'host-transfer', ...nativeBenches(values.quick).keys()];
const known = [
  ...SUITES.filter(({ device }) => device === values.device).map(({ name }) => name),
  ...(values.device === 'host' ? own : []),
];
const unknown = wanted?.filter((name) => !known.includes(name)) ?? [];
if (unknown.length > 0) {
  throw new Error(
    `--only: expected suites of ${values.device} (${known.join(', ')}), received ${unknown.join(', ')}`,
  );
}
let failed = 0;
for (const suite of SUITES) {
  if (suite.device !== values.device || (values.quick && !suite.quick)) continue;
  if (wanted && !wanted.includes(suite.name)) continue;
  const reason = missing(suite);
  console.log(`\n== ${suite.name}${reason ? `: skipped, ${reason}` : ''}`);
  if (!reason && runSuite(suite, resultsFolder) !== 0) failed += 1;
}
if (values.device === 'host' && (!wanted || wanted.includes('startup'))) {
  console.log('\n== startup');
  await measureStartup(join(values.out, 'startup.csv'), resultsFolder, values.quick);
}
if (values.device === 'host' && (!wanted || wanted.includes('routing'))) {
  console.log('\n== routing');
  measureRouting(join(values.out, 'routing.csv'), values.quick);
}
if (values.device === 'host' && (!wanted || wanted.includes('host-transfer'))) {
  console.log('\n== host-transfer');
  await measureTransferHost(join(values.out, 'host-transfer.csv'), values.quick);
}
for (const [name, bench] of nativeBenches(values.quick)) {
  if (values.device !== 'host' || (wanted && !wanted.includes(name))) continue;
  console.log(`\n== ${name}`);
  measureNative(bench, join(values.out, `${name}.csv`));
}
// A bundle has no tables to write: its CSV files are brought home.
if (existsSync(join(import.meta.dirname, 'tables.js'))) {
  const { writeTables } = await import('./tables.js');
  writeTables(join(projectRoot, 'docs', 'bench'));
}
console.log(`\n${failed === 0 ? 'all suites ran' : `${failed} suites failed`}; CSV in ${values.out}`);
process.exitCode = failed === 0 ? 0 : 1;
