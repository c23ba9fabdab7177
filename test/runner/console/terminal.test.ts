import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createProgress } from '../../../runner/console/progress.js';
import { summarizePoint } from '../../../runner/results/summary.js';
import { ResultTable } from '../../../runner/console/table.js';
import { decideTerminal } from '../../../runner/console/terminal.js';
import { resultOf } from '../../helpers/result-samples.js';

const plain = decideTerminal({ isTTY: false, underLauncher: false, noColor: false });

t.test('isTTY counts only where no launcher stands between', async (t) => {
  const facts = { isTTY: true, underLauncher: false, noColor: false, columns: 90 };
  t.same(decideTerminal(facts), { interactive: true, colors: true, columns: 90 });
  t.match(decideTerminal({ ...facts, noColor: true }), { interactive: true, colors: false });
  t.same(decideTerminal({ ...facts, underLauncher: true }), {
    interactive: false,
    colors: false,
    columns: 120,
  });
  t.match(decideTerminal({ ...facts, underLauncher: true, launchSawTerminal: true }), { interactive: true });
  t.match(decideTerminal({ ...facts, isTTY: false }), { interactive: false, colors: false });
});

t.test('the table: one line a summary row, at most 120 columns, no escapes in a pipe', async (t) => {
  const table = new ResultTable();
  const long = 'layout.pageSize=32 pools.deviceBlocks=1024 strategy=memcpyBatch';
  const measured = { strategyUsed: 'scatterAllgather', direction: 'device->host', phase: 'dispatchReceive' };
  table.add(long, summarizePoint([resultOf(0, { ...measured, peak: { GBps: 8, source: 'memcpy' } })]));
  const failed = { status: 'failed', error_code: 'E_IO', error: 'write\nfailed', error_rank: 3 };
  table.add('', [{ job_id: 'a-job-with-a-long-name', point: 7, ...failed }]);
  table.add('', [{ job_id: 'a-job-with-a-long-name', point: 8, ...failed }]);
  const lines = table.render(plain).split('\n');
  t.equal(lines.length, 6);
  t.match(lines[0], /^job +point +phase +direction +strategy +p50 us +GB\/s +% peak +± % +wrong +status$/);
  t.match(
    lines[1],
    /^down +layout\.page\S*… +dispatchRecei… +device->host +scatterAllgather +20\.0 +2\.000 +25\.0 +50\.0 +0 +ok$/,
  );
  t.match(lines[2], /^a-job-with-a… +#7 +failed$/);
  t.equal(lines[4], 'a-job-with-a-long-name failed on rank 3: E_IO: write failed (2 rows)');
  t.match(lines[5], /^noise: iterations of 1 of 1 rows vary by more than 10 %/);
  for (const line of lines) {
    t.ok(line.length <= 120, `${line.length} columns`);
    t.notOk(line.includes('\u001b'), 'no escapes');
  }
  t.ok(
    table.render({ ...plain, colors: true }).includes('\u001b[31mfailed'),
    'failures stand out on a terminal',
  );
  t.match(table.render({ ...plain, columns: 180 }), long);
});

t.test("a time that is not the host's is named; an error without words is told by its code", async (t) => {
  const table = new ResultTable();
  table.add('', [{ job_id: 'a', point: 0, status: 'ok', phase: 'total', timing: 'event' }]);
  table.add('', [{ job_id: 'b', point: 1, status: 'failed', error_code: 'E_JOB' }]);
  const lines = table.render(plain).split('\n');
  t.match(lines[1], /^a +#0 +total\/event +ok$/);
  t.equal(lines[3], 'b failed: E_JOB: ');
});

t.test('a long sweep does not drown its failures', async (t) => {
  const table = new ResultTable();
  for (let point = 0; point < 10_000; point += 1) {
    table.add('', [{ job_id: 'sweep', point, status: point === 9_000 ? 'timeout' : 'ok' }]);
  }
  const text = table.render(plain);
  t.match(text, /#9000 +timeout/);
  t.match(text, /9899 more rows are in summary\.csv$/);
  t.equal(text.split('\n').length, 1 + 101 + 1);
});

function collect(isTTY: boolean): { stream: PassThrough & { isTTY: boolean }; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120 });
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { stream, text: () => text };
}

t.test('progress: plain lines where nobody watches', async (t) => {
  const { stream, text } = collect(false);
  const progress = createProgress(2, { ...plain, interactive: true }, stream);
  progress.start({ jobId: 'down', point: 0, sweptText: 'blocks=16' });
  progress.end({ jobId: 'down', point: 0, sweptText: 'blocks=16' }, 'ok');
  progress.end({ jobId: 'up', point: 1, sweptText: '' }, 'timeout');
  progress.stop();
  t.equal(text(), '[1/2] down blocks=16: ok\n[2/2] up: timeout\n');
});

t.test('progress: a bar on a terminal, with the count of what is not ok', async (t) => {
  const { stream, text } = collect(true);
  const progress = createProgress(2, { ...plain, interactive: true }, stream);
  progress.start({ jobId: 'down', point: 0, sweptText: 'blocks=16' });
  progress.end({ jobId: 'down', point: 0, sweptText: 'blocks=16' }, 'failed');
  progress.end({ jobId: 'up', point: 1, sweptText: '' }, 'idle');
  progress.stop();
  progress.stop();
  t.match(text(), /2\/2 up \(1 not ok\)/);
  const well = collect(true);
  const steady = createProgress(1, { ...plain, interactive: true }, well.stream);
  steady.end({ jobId: 'down', point: 0, sweptText: '' }, 'ok');
  steady.stop();
  t.match(well.text(), /1\/1 down /);
  t.notMatch(well.text(), 'not ok');
});

t.test('progress within a long point: on a bar at once, in a log every ten seconds', async (t) => {
  const point = { jobId: 'replay', point: 0, sweptText: '' };
  const [bar, log] = [collect(true), collect(false)];
  const shown = createProgress(2, { ...plain, interactive: true }, bar.stream);
  shown.start(point);
  shown.within(point, '5 of 9 requests');
  // It draws ten times a second.
  while (!bar.text().includes('0/2 replay: 5 of 9 requests')) await sleep(20);
  shown.stop();

  const real = performance.now.bind(performance);
  t.teardown(() => Object.assign(performance, { now: real }));
  let laterMs = 0;
  performance.now = () => real() + laterMs;
  const written = createProgress(2, plain, log.stream);
  written.start(point);
  written.within(point, 'soon');
  laterMs = 10_001;
  written.within(point, '5 of 9 requests');
  written.within(point, 'again');
  t.equal(log.text(), '[1/2] replay: 5 of 9 requests\n');
});

t.test('columns that are said below the lines are said once for each job', async (t) => {
  const table = new ResultTable(['geometry']);
  for (const point of [0, 1]) {
    table.add('', [{ job_id: 'down', point, status: 'ok', geometry: '2 full of 2 x 8 x 128' }]);
  }
  const below = table.render(plain).split('\n').slice(3);
  t.same(below, ['down: geometry: 2 full of 2 x 8 x 128']);
});
