/** The runs behind `ab`: their ends, their files, and what is said of those that measured nothing. Launchers are shells. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { openAbFolder } from '../../../runner/compare/ab-folder.js';
import { AbRuns } from '../../../runner/compare/ab-runs.js';
import { compareBuilds } from '../../../runner/compare/compare-builds.js';
import { syntheticSpec, writeSyntheticRun } from '../../helpers/synthetic-run.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGUSR1'] as const;
/** What AbRuns listens to for as long as its process lives. */
for (const signal of SIGNALS) {
  const known = process.listeners(signal);
  t.teardown(() => {
    for (const listener of process.listeners(signal))
      if (!known.includes(listener)) process.off(signal, listener);
  });
}

const PLACE = { stage: 1, pair: 0, side: 'a', points: undefined } as const;

const request = {
  a: '',
  b: '',
  numRanks: 2,
  launcher: '',
  numPairs: 6,
  numFreshPairs: 10,
  thresholdPct: 3,
  resolutionPct: 10,
  keyThresholds: [],
  resume: undefined,
  budgetSeconds: undefined,
  onRun: () => undefined,
} as const;

/** Runs whose launcher is a shell with this script. */
async function runsOf(t: Test, script: string, budgetSeconds?: number): Promise<[AbRuns, string]> {
  const folder = join(t.testdir(), 'ab');
  const own = { variables: {}, program: 'railrunner', options: [] };
  const runs = new AbRuns({
    folder,
    spec: 'spec.json',
    prefixes: { a: own, b: own },
    numRanks: 2,
    launcher: ['/bin/sh', '-c', script],
    budgetSeconds,
    variables: {},
    endGraceMs: 50,
    onRun: () => undefined,
  });
  await runs.begin({});
  return [runs, folder];
}

t.test('a run that ignores TERM is killed, and after a signal no other starts', async (t) => {
  const [runs, folder] = await runsOf(t, `trap '' TERM; /bin/sleep 100 & echo left: $!; wait`);
  const measured = runs.measure(PLACE);
  const log = (): string => readFileSync(join(folder, 'ab.log'), 'utf8');
  while (!/^left: \d+\n/m.test(log())) await sleep(20);
  const left = Number(/^left: (\d+)$/m.exec(log())?.[1]);
  t.teardown(() => process.kill(left, 'SIGKILL'));
  const startedAt = performance.now();
  process.kill(process.pid, 'SIGTERM');
  t.equal(await measured, undefined);
  t.ok(performance.now() - startedAt < 90_000, 'what it left behind is not waited for');
  const heard: string[] = [];
  process.once('SIGINT', (signal) => heard.push(signal));
  process.kill(process.pid, 'SIGINT');
  while (heard.length === 0) await sleep(5);
  const said = log();
  t.equal(await runs.measure(PLACE), undefined);
  t.equal(log(), said, 'nothing was started');
  t.equal(runs.stopStatus, 143, 'the first signal is what ended it');
});

t.test('a budget that passes within a run ends the run, without a signal to answer for', async (t) => {
  const [runs] = await runsOf(t, 'exec /bin/sleep 100', 0.2);
  t.equal(await runs.measure(PLACE), undefined);
  t.equal(runs.stopStatus, 0);
});

t.test('a run that names no error of railrunner is told by its last lines', async (t) => {
  const [runs] = await runsOf(t, 'for line in 1 2 3 4 5 6 7 8 9; do echo line $line; done; exit 9');
  await t.rejects(runs.measure(PLACE), {
    code: 'E_USAGE',
    message: /^--a: its run ended with exit status 9 .*ab\.log:\nline 2\n(line \d\n){6}line 9$/,
  });
});

t.test('a file that cannot be written is named with what to do', async (t) => {
  const [runs, folder] = await runsOf(t, 'exit 9');
  mkdirSync(join(folder, 'ab.log'));
  await t.rejects(runs.measure(PLACE), {
    code: 'E_OUTPUT',
    message: /ab\.log cannot be written: EISDIR.*--out/,
  });
  const below = { ...request, spec: 'spec.json', outFolder: join(folder, 'ab.json', 'x') };
  await t.rejects(compareBuilds(below), {
    code: 'E_OUTPUT',
    message: /ab\.json\/x\/ab-\S+\/ab\.json cannot be written: ENOTDIR.*--out/,
  });
});

t.test('runs without any time are refused, not judged', async (t) => {
  const folder = t.testdir();
  const path = writeSyntheticRun(folder, {
    runId: 'skipped',
    spec: syntheticSpec(folder, { numPoints: 2 }),
    startedAt: '2026-01-02T03:04:05.000Z',
    cells: () => ({ status: 'skipped', error_code: 'E_UNSUPPORTED_HERE' }),
  });
  // PROGRAM run SPEC --out FOLDER --run-id NAME
  writeFileSync(join(folder, 'launcher'), `cp -r '${path}' "$5/$7"\n`);
  const spec = join(folder, 'spec.json');
  const launcher = `/bin/sh '${join(folder, 'launcher')}'`;
  await t.rejects(compareBuilds({ ...request, spec, launcher, outFolder: join(folder, 'out') }), {
    code: 'E_USAGE',
    message: `${spec}: expected at least one point with times, the runs have none`,
  });
});

t.test('the folder of a comparison whose runs were deleted has none', async (t) => {
  const folder = t.testdir({ 'ab.json': '{}' });
  t.match(openAbFolder(folder), { baseline: [], candidate: [], wholeCandidate: [] });
});
