/** What `compare` and `ab` make of words and of runs before any time is judged. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runCli } from '../../helpers/run-cli.js';
import { syntheticSpec, writeSyntheticRun, type SyntheticRun } from '../../helpers/synthetic-run.js';
import { compareTables } from '../../../runner/compare/compare-runs.js';
import { appendHistory, changesOf, readHistory } from '../../../runner/compare/history.js';
import { parsePrefix } from '../../../runner/compare/prefix.js';
import { readVerdict } from '../../../runner/compare/read-verdict.js';
import { readRuns, type Cell, type RunTable } from '../../../runner/compare/run-table.js';
import { pairRuns, sortKeys } from '../../../runner/compare/sides.js';
import { limitsByKey } from '../../../runner/compare/thresholds.js';
import { verdictText } from '../../../runner/compare/verdict-text.js';

const machine = {
  device: 'host',
  deviceName: 'x',
  cpuModel: null,
  driverMajor: null,
  nccl: null,
  mpi: null,
  layout: '2',
};
const keyOf = (phase: string, timing: string): string =>
  ['offload', 'down', '{}', '2', phase, timing, phase === '' ? '' : 'device->host'].join('\u0000');
const TOTAL = keyOf('total', 'host');
const PHASELESS = keyOf('', '');

function run(name: string, minute: number, cells: Readonly<Record<string, Partial<Cell>>> = {}): RunTable {
  const whole = Object.entries(cells).map(([key, cell]): [string, Cell] => [
    key,
    { status: 'ok', log: 1, series: 's0123456789abcdef', point: 0, job: {}, ...cell },
  ]);
  return { name, startedAt: new Date(60_000 * minute), machine, cells: new Map(whole), problems: [] };
}

t.test('--a: variables, a program or the folder of a build, options', async (t) => {
  const folder = t.testdir({ bin: { railrunner: '' }, other: '' });
  t.same(parsePrefix('--a', `UCX_TLS=tcp ${folder} --set 'a b=c'`, 'own'), {
    variables: { UCX_TLS: 'tcp' },
    program: join(folder, 'bin', 'railrunner'),
    options: ['--set', 'a b=c'],
  });
  t.equal(
    parsePrefix('--a', join(folder, 'other'), 'own').program,
    join(folder, 'other'),
    'a program itself',
  );
  t.match(parsePrefix('--a', 'A=1=2 B=', 'own'), {
    variables: { A: '1=2', B: '' },
    program: 'own',
    options: [],
  });
  t.throws(() => parsePrefix('--a', join(folder, 'bin'), 'own'), {
    code: 'E_USAGE',
    message: /is not there/,
  });
});

t.test('runs are pairs only where the sides take turns, in both orders', async (t) => {
  const sides = (a: number[], b: number[]): unknown =>
    pairRuns(
      a.map((minute) => run(`a${minute}`, minute)),
      b.map((minute) => run(`b${minute}`, minute)),
    )?.map(({ baseline, candidate }) => [baseline.name, candidate.name]);
  t.same(sides([0, 3], [1, 2]), [
    ['a0', 'b1'],
    ['a3', 'b2'],
  ]);
  t.equal(sides([0, 1], [2, 3]), undefined, 'two of one side in turn');
  t.equal(sides([0, 2], [1, 3]), undefined, 'always the same side first: drift would be a difference');
  t.equal(sides([0], [1, 2]), undefined);
});

t.test('with few pairs the size of the change is judged against the noise of the baseline', async (t) => {
  const judged = (order: readonly [number[], number[]], changes: readonly number[]): unknown => {
    const [a, b] = order;
    const noise = [0, 0.001, -0.001, 0];
    const side = (name: string, minutes: number[], by: readonly number[]): RunTable[] =>
      minutes.map((minute, at) =>
        run(`${name}${at}`, minute, { [TOTAL]: { log: (noise[at] ?? 0) + (by[at] ?? 0) } }),
      );
    const limits = { thresholdPct: 3, resolutionPct: 10, keyThresholds: [] };
    const { keys, notes } = compareTables(side('a', a, []), side('b', b, changes), limits);
    return { word: keys[0]?.word, basis: keys[0]?.basis, notes };
  };
  const notes = ['4 pairs: fewer than the 6 that a test needs, so effect sizes are judged'];
  const basis = 'effect size';
  const turns: [number[], number[]] = [
    [0, 3, 4, 7],
    [1, 2, 5, 6],
  ];
  t.same(judged(turns, [0.05, 0.05, 0.05, 0.05]), { word: 'regressed', basis, notes });
  t.same(judged(turns, [0, 0, 0, 0]), { word: 'equal', basis, notes });
  t.same(judged(turns, [0.2, 0.2, -0.05, -0.05]), { word: 'equal', basis, notes }, 'pairs that disagree');
});

t.test('shares of the peak are better the larger', async (t) => {
  const folder = t.testdir();
  const path = writeSyntheticRun(folder, {
    runId: 'shares',
    spec: syntheticSpec(folder, { numPoints: 3 }),
    startedAt: '2026-01-02T03:04:05.000Z',
    cells: ({ index }) => ({ t_p50_us: 100, aggregate_pct_of_peak: [80, 40, ''][index] ?? '' }),
  });
  const [table] = await readRuns([path], 'share');
  const logs = [...(table?.cells.values() ?? [])].map(({ log }) => log);
  t.same(logs, [-Math.log(80), -Math.log(40), undefined]);
});

t.test('keys that are no comparison of times say why', async (t) => {
  const old = run('old', 0, { [TOTAL]: { series: 's0' } });
  const now = run('now', 1, { [TOTAL]: { series: 's1' } });
  t.match(sortKeys([old], [now]), {
    judged: [],
    others: [{ word: 'missing', why: 'not the same work as in the history (another series)' }],
  });
  const failed = run('now', 1, { [PHASELESS]: { status: 'failed', log: undefined } });
  t.match(sortKeys([run('old', 0)], [failed]).others, [{ word: 'failed', why: 'failed in now' }]);
  t.match(sortKeys([failed], [run('next', 2)]).others, [], 'what failed before and is not there now');
  const skipped = run('left out', 3, { [TOTAL]: { status: 'skipped', log: undefined } });
  t.same(sortKeys([skipped], [skipped]), { judged: [], others: [] }, 'skipped on both sides');
  const missing = [{ word: 'missing', why: 'skipped in left out' }];
  t.match(sortKeys([run('old', 0, { [TOTAL]: {} })], [skipped]), { judged: [], others: missing });
  const job = { blocks: 1 };
  const same = [old, now].map(({ name, cells }) => run(name, 0, { [TOTAL]: { ...cells.get(TOTAL), job } }));
  t.same(sortKeys(same.slice(0, 1), same.slice(1)).judged, [TOTAL], 'another series, and no key differs');
});

t.test('a threshold of a key: what is none is refused', async (t) => {
  const limits = (...keyThresholds: string[]): unknown =>
    limitsByKey([TOTAL], { thresholdPct: 5, resolutionPct: 1, keyThresholds })(TOTAL);
  t.match(limits('*total*=10'), { threshold: Math.log1p(0.1) });
  for (const text of ['down', '=5', 'down=', 'down=x', 'down=0', 'down=-1', 'down=1001']) {
    t.throws(() => limits(text), { code: 'E_USAGE', message: /PATTERN=PERCENT .*received/ }, text);
  }
  t.throws(() => limits('up*=5'), { code: 'E_USAGE', message: /no key fits/ });
});

t.test('a history that ends within a line or cannot be written is left alone', async (t) => {
  const folder = join(t.testdir(), 'history');
  await appendHistory(folder, [run('one', 0, { [TOTAL]: {} })]);
  const [name = ''] = readdirSync(folder);
  writeFileSync(join(folder, name), '{"run": "two"', { flag: 'a' });
  t.same(
    readHistory(folder, machine).map((table) => table.name),
    ['one'],
    'half a line is not read',
  );
  writeFileSync(join(folder, name), 'null\n');
  t.throws(() => readHistory(folder, machine), { code: 'E_RUN_READ', message: /line 1: expected run/ });
  const good = JSON.stringify({
    run: 'one',
    startedAt: '2026-01-02',
    key: TOTAL,
    series: 's0123456789abcdef',
  });
  for (const log of ['1000', '-1000', '1e999', '"1"', 'null']) {
    writeFileSync(join(folder, name), `${good.slice(0, -1)},"log":${log}}\n`);
    const message = /line 1: expected run, startedAt, key, series and log of a time/;
    t.throws(() => readHistory(folder, machine), { code: 'E_RUN_READ', message }, `log ${log}`);
  }
  writeFileSync(join(folder, name), `${good.slice(0, -1)},"log":-1}\n`);
  t.equal(readHistory(folder, machine).length, 1);
  writeFileSync(join(folder, name), '{"run": "two"');
  const next = [run('three', 1, { [TOTAL]: {} })];
  await t.rejects(appendHistory(folder, next), {
    code: 'E_OUTPUT',
    message: /in the middle of a line: remove/,
  });
  const other = t.testdir({ file: '' });
  mkdirSync(join(other, 'there'));
  await t.rejects(appendHistory(join(other, 'file', 'x'), next), { code: 'E_OUTPUT', message: /cannot be/ });
});

t.test('runs that are not whole say how', async (t) => {
  const folder = t.testdir();
  const path = writeSyntheticRun(folder, {
    runId: 'cut',
    spec: syntheticSpec(folder, { numPoints: 2 }),
    startedAt: '2026-01-02T03:04:05.000Z',
    cells: () => ({ t_p50_us: 100 }),
    manifest: { shard: { index: 1, count: 3 } },
  });
  writeFileSync(join(path, 'summary.csv'), '2,cut,', { flag: 'a' });
  const [table] = await readRuns([path], 'time');
  t.match(table?.problems, [/summary\.csv ends in the middle of a row/, /cut: shards 2,3 are missing/]);
});

t.test('a history keeps times, so that ratios alone cannot go into one', async (t) => {
  const folder = t.testdir();
  const spec = syntheticSpec(folder, { numPoints: 2 });
  const cells = (): object => ({ t_p50_us: 100 });
  const run = { spec, startedAt: '2026-01-02T03:04:05.000Z', cells: cells as SyntheticRun['cells'] };
  const paths = ['a', 'b'].map((runId) => writeSyntheticRun(folder, { ...run, runId }));
  const words = [
    'compare',
    paths[1] ?? '',
    '--against',
    paths[0] ?? '',
    '--ratio-only',
    '--history',
    join(folder, 'h'),
  ];
  t.match(await runCli(words), { status: 2, stderr: /--history keeps times: leave out --ratio-only/ });
});

t.test('a change of level is told with its size in either direction, whatever some runs lack', async (t) => {
  const levels = Array.from({ length: 60 }, (_, at) => (at >= 20 && at < 40 ? 1 : 0));
  const runs = levels.map((log, at) => run(`r${at}`, at, { [TOTAL]: { log } }));
  const without = [run('x', 60), run('y', 61, { [TOTAL]: { log: undefined } })];
  t.match(changesOf([...runs, ...without]), [
    /^down total\/host device->host: \+171\.8 % from run r20 on/,
    /^down total\/host device->host: -63\.2 % from run r40 on/,
  ]);
  const folder = join(t.testdir(), 'history');
  await appendHistory(folder, [run('whole', 0, { [TOTAL]: {} }), ...without]);
  const kept = readHistory(folder, machine).map(({ name }) => name);
  t.same(kept, ['whole'], 'a run without times adds nothing');
});

t.test(
  'a verdict as text names 60 keys and counts the others, and an unsteady machine is said',
  async (t) => {
    const key = { basis: 'test', estimate: null, numPairs: 2, slowerShare: 0.5, why: '' } as const;
    const keys = Array.from({ length: 63 }, (_, at) => ({ ...key, key: `key${at}`, word: 'equal' as const }));
    const verdict = { baseline: 'a', candidate: 'b', keys, problems: [], notes: [], controlTripped: true };
    const text = verdictText(verdict);
    t.match(text, /key59 .*\n3 more keys\n/);
    t.notMatch(text, /key60/);
    t.match(text, / \(equal builds differed: the machine is not steady enough\): 63 equal; b against a$/);
  },
);

t.test('a verdict that is no JSON is refused with its file and what was expected', async (t) => {
  const path = join(t.testdir({ 'verdict.json': '{' }), 'verdict.json');
  await t.rejects(readVerdict(path), {
    code: 'E_RUN_READ',
    message: /verdict\.json: .*JSON.*; expected verdict\.json of `ab`/,
  });
});
