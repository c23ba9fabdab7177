/** Which points of a file a resumed run keeps. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readWholePoints } from '../../../runner/run-folder/whole-points.js';

const COLUMNS = ['run_id', 'spec_digest', 'point', 'point_rows', 'status'];
const EXPECTED = { runId: 'one', specDigest: 'abc', columns: COLUMNS };

function csv(...rows: string[]): string {
  return [COLUMNS.join(','), ...rows, ''].join('\n');
}

t.test('points with all their rows, none of them aborted', async (t) => {
  const path = join(t.testdir(), 'rank-0000.csv');
  const kept = async (text: string): Promise<number[]> => {
    writeFileSync(path, text);
    return [...(await readWholePoints(path, EXPECTED)).keys()];
  };
  t.same(await kept(csv('one,abc,0,2,ok', 'one,abc,0,2,ok', 'one,abc,1,1,failed')), [0, 1]);
  t.same(await kept(csv('one,abc,0,2,ok')), [], 'a row is missing');
  t.same(await kept(csv('one,abc,0,1,ok', 'one,abc,0,1,ok')), [], 'a row too many');
  t.same(await kept(csv('one,abc,0,1,aborted', 'one,abc,1,1,skipped')), [1]);
  t.same(await kept('run_id,spec'), [], 'cut within its header');
  t.same(await kept(''), []);
});

t.test('a file that is not there has no points; another one is refused', async (t) => {
  const folder = t.testdir({ file: '' });
  const path = join(folder, 'rank-0000.csv');
  t.equal((await readWholePoints(path, EXPECTED)).size, 0);
  await t.rejects(readWholePoints(join(folder, 'file', 'x.csv'), EXPECTED), {
    code: 'E_RUN_READ',
    message: /x\.csv cannot be read.*ENOTDIR/,
  });
  for (const row of ['two,abc,0,1,ok', 'one,abd,0,1,ok']) {
    writeFileSync(path, csv(row));
    const message =
      /line 2: expected rows of run one, received one of another run or spec; start a new run without --resume/;
    await t.rejects(readWholePoints(path, EXPECTED), { code: 'E_RESUME', message }, row);
  }
  writeFileSync(path, csv('one,abc,0,1,ok').replace('status', 'status,more').replace(',ok', ',ok,1'));
  await t.rejects(readWholePoints(path, EXPECTED), { code: 'E_RESUME', message: /expected the columns/ });
  mkdirSync(join(folder, 'dir'));
  await t.rejects(readWholePoints(join(folder, 'dir'), EXPECTED), { code: 'E_RUN_READ', message: /EISDIR/ });
});
