import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runCli, type Finished } from '../../helpers/run-cli.js';
import {
  syntheticSpec,
  writeSyntheticRun,
  type Cells,
  type SyntheticRun,
} from '../../helpers/synthetic-run.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { readJson } from '../../helpers/json.js';

interface Side {
  readonly name: string;
  /** Time of a point in a run, us. */
  readonly us: (point: number, run: number) => number;
  readonly cells?: (point: number, run: number) => Cells | undefined;
  readonly overrides?: Partial<SyntheticRun>;
}

const NUM_POINTS = 4;
/** Within 1 % and the same at every call. */
const jitter = (point: number, run: number, salt = 0): number => {
  const wild = 43_758.5453 * Math.sin(12.9898 * point + 78.233 * run + 37.719 * salt + 1);
  return 0.99 + 0.02 * (wild - Math.floor(wild));
};

/** Writes `count` runs of two sides in the order A B B A ...; returns their folders. */
function interleaved(folder: string, count: number, sides: readonly [Side, Side]): [string[], string[]] {
  const spec = syntheticSpec(folder, { numPoints: NUM_POINTS });
  const paths: [string[], string[]] = [[], []];
  for (let pair = 0; pair < count; pair += 1) {
    const order = pair % 2 === 0 ? [0, 1] : [1, 0];
    order.forEach((side, place) => {
      const { name, us, cells, overrides } = sides[side] as Side;
      const startedAt = new Date(Date.UTC(2026, 0, 2, 0, 2 * pair + place)).toISOString();
      const cellsOf = ({ index }: { index: number }): Cells | undefined =>
        cells ? cells(index, pair) : { t_p50_us: us(index, pair) };
      const run = { runId: `${name}-${pair}`, spec, startedAt, cells: cellsOf, ...overrides };
      (paths[side] as string[]).push(writeSyntheticRun(folder, run));
    });
  }
  return paths;
}

const base: Side = { name: 'base', us: (point, run) => 100 * (point + 1) * jitter(point, run) };
const slower = (pct: number, only?: number): Side => ({
  name: 'next',
  us: (point, run) =>
    100 * (point + 1) * jitter(point, run, 1) * (only === undefined || only === point ? 1 + pct / 100 : 1),
});

const compare = (
  candidate: readonly string[],
  against: readonly string[],
  ...more: string[]
): Promise<Finished> => runCli(['compare', ...candidate, '--against', ...against, ...more]);

interface Json {
  readonly exitStatus: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly keys: readonly {
    readonly key: string;
    readonly word: string;
    readonly estimate: { changePct: number };
  }[];
}

async function verdictOf(
  folder: string,
  candidate: string[],
  against: string[],
  ...more: string[]
): Promise<Json> {
  const path = join(folder, 'verdict.json');
  const ended = await compare(candidate, against, '--json', path, ...more);
  const json = readJson<Json>(path);
  if (ended.status !== json.exitStatus)
    throw new Error(`exit ${ended.status}: ${ended.stdout}${ended.stderr}`);
  return json;
}

t.test('a slow-down of one key is found, and swapping the sides swaps the word', (t) =>
  withTempDir(async (folder) => {
    const [a, b] = interleaved(folder, 10, [base, slower(8, 2)]);
    const forth = await verdictOf(folder, b, a);
    t.match(forth, { exitStatus: 5, counts: { regressed: 1, equal: 3 } });
    const found = forth.keys.find((key) => key.word === 'regressed');
    t.match(found?.key, /^down seed=3 /);
    t.ok(Math.abs((found?.estimate.changePct ?? 0) - 8) < 1.5);
    t.match(await verdictOf(folder, a, b), { exitStatus: 0, counts: { improved: 1, equal: 3 } });
  }),
);

t.test('equal builds are equal; a wide threshold of a key holds only for it', (t) =>
  withTempDir(async (folder) => {
    const [a, b] = interleaved(folder, 10, [base, slower(0)]);
    t.match(await verdictOf(folder, b, a), { exitStatus: 0, counts: { equal: 4 } });
    const [c, d] = interleaved(folder, 10, [
      { ...base, name: 'c' },
      { ...slower(8, 2), name: 'd' },
    ]);
    const wide = ['--key-threshold', 'down seed=3 *=20'];
    t.match(await verdictOf(folder, d, c, ...wide), { exitStatus: 0, counts: { equal: 4 } });
    const typo = await compare(d, c, '--key-threshold', 'dwon *=20');
    t.equal(typo.status, 2, 'a threshold for no key is an error, not a pass');
    t.match(typo.stderr, /--key-threshold dwon \*=20: no key fits; keys are "down seed=1/);
    t.equal((await compare(d, c, '--threshold', '0')).status, 2);
  }),
);

t.test('too few runs, and noise: no verdict rather than a pass', (t) =>
  withTempDir(async (folder) => {
    const [a, b] = interleaved(folder, 1, [base, slower(0)]);
    t.match(await verdictOf(folder, b, a), { exitStatus: 6, counts: { 'too noisy': 4 } });
    const wild = (name: string, salt: number): Side => ({
      name,
      us: (point, run) => 100 * jitter(point, run, salt) ** 40,
    });
    const [c, d] = interleaved(folder, 10, [wild('c', 1), wild('d', 2)]);
    const noisy = await verdictOf(folder, d, c);
    t.match(noisy, { exitStatus: 6, counts: { regressed: 0, improved: 0 } });
    t.ok((noisy.counts['too noisy'] ?? 0) > 0);
  }),
);

t.test('what is missing or failed in the candidate is never good; in the baseline it is new', (t) =>
  withTempDir(async (folder) => {
    const without = (name: string): Side => ({
      ...base,
      name,
      cells: (point, run) => (point === 1 ? undefined : { t_p50_us: base.us(point, run) }),
    });
    const failing: Side = {
      ...base,
      name: 'failing',
      cells: (point, run) =>
        point === 1
          ? { phase: '', timing: '', direction: '', status: 'failed', error_code: 'E_JOB' }
          : { t_p50_us: base.us(point, run) },
    };
    const [a, b] = interleaved(folder, 10, [base, without('without')]);
    t.match(await verdictOf(folder, b, a), { exitStatus: 6, counts: { missing: 1, equal: 3 } });
    t.match(await verdictOf(folder, a, b), { exitStatus: 0, counts: { new: 1, equal: 3 } });
    const [c, d] = interleaved(folder, 10, [{ ...base, name: 'c' }, failing]);
    t.match(await verdictOf(folder, d, c), { exitStatus: 5, counts: { failed: 1, equal: 3 } });
    t.match(await verdictOf(folder, c, d), { exitStatus: 0, counts: { new: 1, equal: 3 } });
  }),
);

t.test('runs that are not whole keep the whole from being good', (t) =>
  withTempDir(async (folder) => {
    const [a, b] = interleaved(folder, 10, [base, slower(0)]);
    const file = join(b[3] as string, 'manifest.json');
    const manifest = readJson<object>(file);
    writeFileSync(file, JSON.stringify({ ...manifest, outcome: 'aborted' }));
    const ended = await compare(b, a);
    t.equal(ended.status, 6);
    t.match(ended.stdout, /problem: .*next-3: the run did not end well \(aborted\)/);
    t.equal((await compare(a, b)).status, 0, 'in the baseline it is a note');
    rmSync(file);
    t.match(await compare(b, a), { status: 2, stderr: /expected a run folder with manifest/ });
    cpSync(a[0] as string, join(folder, 'copy'), { recursive: true });
    t.match(await compare(b.slice(4), [...a, join(folder, 'copy')]), { status: 2, stderr: /given twice/ });
    t.match(await compare(a, a), { status: 2, stderr: /is on both sides: leave it out of one/ });
    mkdirSync(join(folder, 'empty'));
    t.equal((await compare([join(folder, 'empty')], a)).status, 2);
  }),
);

t.test('other work and other machines are no change of speed', (t) =>
  withTempDir(async (folder) => {
    const [a] = interleaved(folder, 6, [base, slower(0)]);
    const other = syntheticSpec(folder, { numPoints: NUM_POINTS, job: { blocks: 8 } });
    const [, work] = interleaved(folder, 6, [
      { ...base, name: 'x' },
      { ...slower(0), name: 'work', overrides: { spec: other } },
    ]);
    const ended = await compare(work, a);
    t.equal(ended.status, 6);
    t.match(ended.stdout, /missing: down seed=1 .*: not the same work: blocks/);
    const [, xeon] = interleaved(folder, 6, [
      { ...base, name: 'y' },
      {
        ...slower(0),
        name: 'xeon',
        cells: (point, run) => ({
          t_p50_us: 5 * base.us(point, run),
          aggregate_pct_of_peak: 80 * jitter(point, run),
        }),
        overrides: { deviceName: 'Xeon', worldSize: 3 },
      },
    ]);
    const refused = await compare(xeon, a);
    t.equal(refused.status, 2);
    t.match(refused.stderr, /deviceName: AMD EPYC and Xeon; layout: 2 and 3.*--ratio-only/);
  }),
);

t.test('a history keeps figures, is the baseline, and names where they changed', (t) =>
  withTempDir(async (folder) => {
    const history = join(folder, 'history');
    const [old] = interleaved(folder, 30, [base, { ...slower(0), name: 'unused' }]);
    const [, next] = interleaved(folder, 60, [{ ...base, name: 'other' }, slower(8, 2)]);
    t.match(await compare(old, [], '--history', history), { status: 2, stderr: /no baseline/ });
    const newer = next.slice(30);
    const judged = await compare(newer, [], '--history', history);
    t.equal(judged.status, 5, judged.stdout + judged.stderr);
    t.match(judged.stdout, /note: down seed=3 .*: \+[78]\.\d % from run next-3\d on \(2026-01-02/);
    t.notMatch(judged.stdout, /note: down seed=[124] /);
    const [file = ''] = readdirSync(history);
    const text = readFileSync(join(history, file), 'utf8');
    t.equal(text.split('\n').length - 1, 60 * NUM_POINTS);
    await compare(newer, [], '--history', history);
    t.equal(readFileSync(join(history, file), 'utf8'), text, 'a run is added once');
    writeFileSync(join(history, file), text.replace('"log":', '"lag":'));
    t.match(await compare(newer, [], '--history', history), { status: 2, stderr: /line 1: expected run/ });
    t.equal((await compare(newer, [])).status, 2);
  }),
);

t.test('schema version 1 is read, and a disk that is full leaves no half verdict', (t) =>
  withTempDir(async (folder) => {
    const [a] = interleaved(folder, 8, [{ ...base, overrides: { schemaVersion: 1 } }, slower(0)]);
    const [, b] = interleaved(folder, 8, [
      { ...base, name: 'z' },
      { ...slower(9), name: 'new' },
    ]);
    t.match(await verdictOf(folder, b, a), { exitStatus: 5, counts: { regressed: 4 } });
    const full = await compare(b, a, '--json', '/dev/full/verdict.json');
    t.equal(full.status, 3);
    t.match(full.stderr, /verdict\.json cannot be written/);
  }),
);
