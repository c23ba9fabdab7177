/** The quickstart's spec, whole as README starts it and across two hosts; every kind of it with both MPIs and under Slurm. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import t, { type Test } from 'tap';
import { JOB_KINDS } from '../../jobs/index.js';
import { projectRoot } from '../../runner/project.js';
import { MPIS, mpirunCli } from '../helpers/mpirun.js';
import { firstMissing, needsMpi, needsNamespaces, needsSlurm } from '../helpers/require.js';
import { railrunner, run, type Finished, runArgs } from '../helpers/run-cli.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { withHosts } from './hosts.js';
import { withSlurm } from './slurm.js';
import { readJson } from '../helpers/json.js';

const SPEC = join(projectRoot, 'configs', 'quickstart.json');
/** On two shared cores a run takes seconds; this only bounds a hang. */
const LIMIT_MS = 300_000;

/**
 * Deepseek's to and from disk, a broadcast, transfer, replay and decode: every kind, in a quarter of the time. What the
 * other points add (larger pools, more strategies) is the same under every launcher.
 */
const ONE_OF_EACH_KIND = ['--points', '4,5,10,12-14'];

type Row = Record<string, string>;

function runWords(folder: string): string[] {
  return runArgs(SPEC, folder, 'quickstart');
}

/** Every rank wrote whole rows, all of them right, and the manifest says so. */
function checkRun(test: Test, ended: Finished, folder: string, numNodes: number): void {
  test.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-4000));
  const out = join(folder, 'quickstart');
  const manifest = readJson<{ outcome: string }>(join(out, 'manifest.json'));
  test.equal(manifest.outcome, 'ok');
  const files = readdirSync(out).filter((name) => /^rank-\d{4}\.csv$/.test(name));
  test.same(files, ['rank-0000.csv', 'rank-0001.csv', 'rank-0002.csv', 'rank-0003.csv']);
  const rows = files.flatMap((name) => parse(readFileSync(join(out, name)), { columns: true }) as Row[]);
  test.ok(rows.length >= 4 * 5, `${rows.length} rows`);
  // Ranks that load nothing in replicated mode are idle in that phase.
  test.same([...new Set(rows.map((row) => row['status']))].sort(), ['idle', 'ok']);
  const kinds = new Set(rows.map((row) => row['kind']));
  test.same([...kinds].sort(), JOB_KINDS.map(({ kind }) => kind).sort(), 'every kind of job');
  test.ok(
    rows
      .filter((row) => row['status'] === 'ok')
      .every((row) => row['wrong'] === '0' && Number(row['checked']) > 0),
    'every word verified',
  );
  test.equal(new Set(rows.map((row) => row['node'])).size, numNodes);
  test.same([...new Set(rows.map((row) => row['world_size']))], ['4']);
}

for (const mpi of MPIS) {
  t.test(`two hosts, ${mpi}`, { skip: firstMissing(needsNamespaces(), needsMpi(mpi)) }, async (t) => {
    await withTempDir(async (folder) => {
      // All of it across hosts once: with MPICH, whose launch is not the README's.
      const words = [...runWords(folder), ...(mpi === 'mpich' ? [] : ONE_OF_EACH_KIND)];
      const ended = await withHosts(2, 2, (bed) => bed.mpirunCli({ mpi, timeoutMs: LIMIT_MS }, words));
      checkRun(t, ended, folder, 2);
    });
  });
}

for (const [plugin, mpi] of [
  ['pmix', 'openmpi'],
  ['pmi2', 'mpich'],
] as const) {
  t.test(`two nodes of Slurm, ${plugin}`, { skip: firstMissing(needsSlurm(), needsMpi(mpi)) }, async (t) => {
    await withTempDir(async (folder) => {
      const line = [
        'srun',
        '-N2',
        '-n4',
        `--mpi=${plugin}`,
        process.execPath,
        railrunner,
        ...runWords(folder),
        ...ONE_OF_EACH_KIND,
      ];
      const ended = await withSlurm(2, 2, (slurm) => slurm.run(line, { timeoutMs: LIMIT_MS }));
      checkRun(t, ended, folder, 2);
    });
  });
}

// Open MPI on one host is what `npm run quickstart` starts.
t.test('one host, mpich', { skip: needsMpi('mpich') }, async (t) => {
  await withTempDir(async (folder) => {
    const options = { mpi: 'mpich', ranks: 4, timeoutMs: LIMIT_MS } as const;
    checkRun(t, await mpirunCli(options, [...runWords(folder), ...ONE_OF_EACH_KIND]), folder, 1);
  });
});

t.test('npm run quickstart ends with the table', { skip: needsMpi('openmpi') }, async (t) => {
  await withTempDir(async (folder) => {
    const line = ['scripts/quickstart.mjs', '--out', folder, '--run-id', 'quickstart'];
    const ended = await run(process.execPath, line, { timeoutMs: LIMIT_MS });
    checkRun(t, ended, folder, 1);
    t.match(ended.stdout, /llama-offload/);
  });
});
