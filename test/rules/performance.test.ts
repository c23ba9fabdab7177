/** Tables and headlines are those of the committed CSV files: no figure is typed by hand, and each says where it was measured. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { exchangeLines } from '../../scripts/bench/exchange-table.js';
import { HEADLINES, headlineLines } from '../../scripts/bench/headlines.js';
import { pick } from '../../scripts/bench/pick-row.js';
import { gpuSourcesDigest } from '../../scripts/bench/gpu-sources.js';
import { changesSince, provenanceText, readProvenance } from '../../scripts/bench/provenance.js';
import { sweepLines } from '../../scripts/bench/sweep-table.js';
import { fillTables, tablePages } from '../../scripts/bench/tables.js';

const bench = join(projectRoot, 'docs', 'bench');
const read = (path: string): string => readFileSync(path, 'utf8');

t.test('tables = CSV', async (t) => {
  const pages = tablePages(bench);
  for (const path of pages) {
    const remedy = `${basename(path)}: npm run bench writes the tables, or fillTables over the page`;
    t.equal(fillTables(read(path), bench), read(path), remedy);
  }
  const tables = pages.flatMap((path) => read(path).match(/<!-- table /g) ?? []);
  t.ok(tables.length >= 15, `${tables.length} tables`);
});

t.test('a figure changed by hand is seen', async (t) => {
  const page = read(join(bench, 'kv-gpu.md'));
  const forged = page.replace(/\| 0\.9\d\d of/, '| 1.000 of');
  t.not(forged, page);
  t.not(fillTables(forged, bench), forged);
});

t.test('the page of headlines is one page', async (t) => {
  const page = read(join(projectRoot, 'docs', 'performance.md'));
  t.ok(page.split('\n').length <= 150, 'at most 150 lines');
  t.ok(HEADLINES.length >= 20);
  t.throws(() => pick([], { job_id: 'x' }), /expected one row of .* received 0/);
  t.throws(() => headlineLines(bench, {}), /provenance.json has no entry/);
});

t.test('every CSV says where and when it was measured, and what changed since', async (t) => {
  const provenance = readProvenance(bench);
  const names = readdirSync(bench).filter((name) => name.endsWith('.csv'));
  t.same(Object.keys(provenance.tables).sort(), names.map((name) => name.replace('.csv', '')).sort());
  const [table] = Object.entries(provenance.tables).find(([, { gpuSources }]) => gpuSources) ?? [''];
  const later = [...provenance.gpuChanges, { gpuSources: 'f', text: 'one more change', moves: [table] }];
  const changed = { ...provenance, gpuChanges: later };
  t.equal(changesSince(changed, table).length, changesSince(provenance, table).length + 1);
  t.match(provenanceText(changed, table), /GPU code changed since: .*one more change/);
  const elsewhere = later.map((change) => ({ ...change, moves: [] }));
  const still = provenanceText({ ...provenance, gpuChanges: elsewhere }, table);
  t.match(still, /Expected to move no figure here: \d+ changes/);
  t.notMatch(still, 'one more change');
  const unknown = provenance.gpuChanges
    .flatMap(({ moves = [] }) => moves)
    .filter((name) => !(name in provenance.tables));
  t.same(unknown, [], 'gpuChanges say what moves by names of tables');
});

t.test('a change of GPU code has a word in the heads of the tables', async (t) => {
  const { gpuChanges } = readProvenance(bench);
  const remedy =
    'add to gpuChanges of docs/bench/provenance.json what changed and the tables whose figures it moves, then npm run bench (or fillTables) for the heads';
  t.equal(gpuChanges.at(-1)?.gpuSources, gpuSourcesDigest(projectRoot), remedy);
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

t.test('sweep: strategies side by side, a ratio only where both were measured', async (t) => {
  const params = '{"dispatchDtype":"bf16","numTokens":512,"routing":{"kind":"zipf"}}';
  const row = (strategy: string, phase: string, us: number): Record<string, string> => ({
    job_id: 'x',
    params,
    status: 'ok',
    strategy_requested: strategy,
    phase,
    t_p50_us: String(us),
    checked: '10',
    wrong: '0',
  });
  const both = [row('sparse', 'dispatch', 1000), row('sparse', 'combine', 3000)];
  const gathered = [row('allGather', 'dispatch', 4000), row('allGather', 'combine', 6000)];
  const shape = ['x', 'zipf', '512', 'bf16'];
  const { head, lines } = sweepLines([...both, ...gathered]);
  t.same(lines, [[...shape, '1.00', '3.00', '4.00', '6.00', '2.50', '40', '0']]);
  t.equal(head.length, lines[0]?.length);
  const failed = { ...row('allGather', 'dispatch', 0), t_p50_us: '', status: 'failed', phase: '' };
  t.same(sweepLines([...both, failed]).lines, [[...shape, '1.00', '3.00', '', '', '', '30', '0']]);
});
