/** The page's tables are those of the committed CSV files: no figure is typed by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { exchangeLines } from '../../scripts/bench/exchange-table.js';
import { fillTables } from '../../scripts/bench/tables.js';

const page = readFileSync(join(projectRoot, 'docs', 'performance.md'), 'utf8');
const bench = join(projectRoot, 'docs', 'bench');

t.test('tables = CSV', async (t) => {
  t.equal(fillTables(page, bench), page, 'mend it with: npm run bench, or fillTables over the page');
  t.ok((page.match(/<!-- table /g) ?? []).length >= 5);
});

t.test('a figure changed by hand is seen', async (t) => {
  const forged = page.replace(/\| 0\.9\d\d of/, '| 1.000 of');
  t.not(forged, page);
  t.not(fillTables(forged, bench), forged);
});

t.test('models: a point that was skipped says so, and shares stand where a peak was probed', async (t) => {
  const point = {
    job_id: 'x',
    point: '0',
    params: '{"dispatchDtype":"bf16"}',
    num_tokens: '8',
    status: 'ok',
  };
  const figures = { t_p50_us: '10.04', bytes_ipc: '4096', logbw_min_GBps: '2.52', wrong: '1' };
  const peaks = { dispatch: {}, combine: { aggregate_pct_of_peak: '81.26' } };
  const measured = (['dispatch', 'combine'] as const).flatMap((phase) => [
    { ...point, ...figures, phase, timing: 'graph', ...peaks[phase] },
    { ...point, ...figures, phase, timing: 'event', t_p50_us: '15.26' },
  ]);
  const skipped = { job_id: 'y', point: '1', params: '{}', status: 'skipped', wrong: '' };
  const times = ['10.0 / 15.3', '10.0 / 15.3'];
  const shown = ['x', '8', 'bf16', ...times, '4096', '4096', '2.5', '2.5', '4'];
  const { head, lines } = exchangeLines([...measured, skipped]);
  t.same(lines[0], [...shown, '', '81.3 %']);
  t.same(lines[1]?.slice(0, 4), ['y', '', '', 'skipped']);
  t.equal(head.length, lines[0]?.length);
  t.same(exchangeLines(measured.map((row) => ({ ...row, aggregate_pct_of_peak: '' }))).lines, [shown]);
});
