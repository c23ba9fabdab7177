/**
 * `node dist/scripts/bench/old-new.js CHECKOUT [--minutes N] [--only NAME,...] [--out FILE]`: every host suite by this build
 * against the built checkout of an older one, interleaved by `railrunner ab`, for N minutes in all. Rows to
 * docs/bench/old-new-host.csv: new time over old, a line for each key. Fails where a suite could not be run.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'csv-stringify/sync';
import { readVerdict } from '../../runner/compare/read-verdict.js';
import type { KeyVerdict } from '../../runner/compare/verdict.js';
import { projectRoot } from '../../runner/project.js';
import { missing, SUITES, type Suite } from './suites.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '14' },
    only: { type: 'string' },
    out: { type: 'string', default: join(projectRoot, 'docs', 'bench', 'old-new-host.csv') },
  },
});

/** Of `ab`: nothing slower, something slower, no verdict. The table tells which. */
const MEASURED: ReadonlySet<number | null> = new Set([0, 5, 6]);

/** Verdicts of one suite, or none where it did not run. */
async function compareSuite(
  suite: Suite,
  old: string,
  folder: string,
  seconds: number,
): Promise<readonly KeyVerdict[] | null> {
  const out = join(folder, suite.name);
  const spec = join(projectRoot, 'configs', suite.spec ?? join('bench', `${suite.name}.json`));
  const sideOf = (build: string): string =>
    [build, '--set', 'defaults.probe=false', ...(suite.args ?? [])].join(' ');
  const ab = ['ab', spec, '-a', sideOf(old), '-b', sideOf(projectRoot), '-n', String(suite.ranks)];
  const limits = ['--budget', String(seconds), '--out', out];
  const railrunner = join(projectRoot, 'bin', 'railrunner');
  const ended = spawnSync(process.execPath, [railrunner, ...ab, ...limits], { stdio: 'inherit' });
  if (!MEASURED.has(ended.status)) return null;
  const [run] = readdirSync(out);
  if (run === undefined) return null;
  return (await readVerdict(join(out, run, 'verdict.json'))).keys;
}

function rowOf(suite: Suite, { key, word, estimate, numPairs }: KeyVerdict): Record<string, string | number> {
  const ratio = (pct: number | null | undefined): string => (pct == null ? '' : (1 + pct / 100).toFixed(3));
  return {
    suite: suite.name,
    key,
    'new / old time': ratio(estimate?.changePct),
    from: ratio(estimate?.lowPct),
    to: ratio(estimate?.highPct),
    pairs: numPairs,
    verdict: word,
  };
}

const [checkout] = positionals;
if (checkout === undefined || positionals.length > 1) {
  throw new Error(`expected one built checkout to compare with, received ${positionals.length}`);
}
const wanted = values.only?.split(',');
// Suites behind a slowed network cable differ by the cable, not by the build.
const suites = SUITES.filter(
  (suite) =>
    suite.device === 'host' &&
    suite.linkMbps === undefined &&
    (wanted?.includes(suite.name) ?? missing(suite) === undefined),
);
if (suites.length === 0) throw new Error(`--only: expected host suites, received ${values.only}`);
const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
const folder = join(projectRoot, 'results', `old-new-${stamp}`);
mkdirSync(folder, { recursive: true });
const seconds = Math.floor((Number(values.minutes) * 60) / suites.length);
const rows: Record<string, string | number>[] = [];
for (const suite of suites) {
  console.log(`\n== ${suite.name}, ${seconds} s`);
  const keys = await compareSuite(suite, resolve(checkout), folder, seconds);
  if (keys === null) process.exitCode = 1;
  else rows.push(...keys.map((key) => rowOf(suite, key)));
  writeFileSync(values.out, stringify(rows, { header: true }));
}
console.log(`${rows.length} keys in ${values.out}`);
