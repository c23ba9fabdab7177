/** What `compare` and `ab` make of words and of runs before any time is judged. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { appendHistory, readHistory } from '../../../runner/compare/history.js';
import { parsePrefix } from '../../../runner/compare/prefix.js';
import type { Cell, RunTable } from '../../../runner/compare/run-table.js';
import { pairRuns, sortKeys } from '../../../runner/compare/sides.js';
import { limitsByKey } from '../../../runner/compare/thresholds.js';

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
  const next = [run('three', 1, { [TOTAL]: {} })];
  await t.rejects(appendHistory(folder, next), {
    code: 'E_OUTPUT',
    message: /in the middle of a line: remove/,
  });
  const other = t.testdir({ file: '' });
  mkdirSync(join(other, 'there'));
  await t.rejects(appendHistory(join(other, 'file', 'x'), next), { code: 'E_OUTPUT', message: /cannot be/ });
});
