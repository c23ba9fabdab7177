import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { measuredNothing } from '../../../runner/engine/end-agreement.js';
import { UnwrittenRowsError } from '../../../runner/results/output-errors.js';
import { rescueRows } from '../../../runner/results/rescue.js';

const failure = new UnwrittenRowsError('rank-0001.csv ends early: ENOSPC', '/r/rank-0001.csv', '1,2\n', null);

t.test('rows that their file did not take go to a new file, which the message names', async (t) => {
  const folder = t.testdir();
  const said: string[] = [];
  const { code, message } = rescueRows(failure, 'x', (text) => said.push(text), folder);
  const [name = ''] = readdirSync(folder);
  t.equal(code, 'E_OUTPUT');
  t.match(name, /^railrunner-x-\d+-rank-0001\.csv$/);
  t.match(message, join(folder, name));
  t.equal(readFileSync(join(folder, name), 'utf8'), '1,2\n');
  t.same(said, []);
});

t.test('where that fails too they go to standard error', async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, `railrunner-x-${process.pid}-rank-0001.csv`));
  const said: string[] = [];
  const { message } = rescueRows(failure, 'x', (text) => said.push(text), folder);
  t.match(message, /standard error/);
  t.match(said, [/\/r\/rank-0001\.csv:\n1,2\n/]);
});

t.test('a run of only skipped rows has measured nothing', async (t) => {
  t.ok(measuredNothing([{ skipped: 2 }, { skipped: 2, ok: 0 }]));
  t.notOk(measuredNothing([{ skipped: 2 }, { skipped: 1, ok: 1 }]));
  t.notOk(measuredNothing([{}]), 'nor is a run without rows one of skipped rows');
});
