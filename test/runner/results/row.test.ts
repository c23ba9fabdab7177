import t from 'tap';
import type { JsonObject } from '../../../runner/job-spec/types.js';
import type { Measurement } from '../../../runner/job/measurement.js';
import { wrongDataText } from '../../../runner/results/check-fields.js';
import { buildPointResult, buildRows, type PointOutcome, type Row } from '../../../runner/results/row.js';
import { factsOf, measurementOf, pointOf, rightData } from '../../helpers/result-samples.js';

const started = new Date('2026-01-02T03:04:05.678Z');

function outcomeOf(changes: Partial<PointOutcome> = {}): PointOutcome {
  return { startedAt: started, measurements: [measurementOf()], verifications: [rightData], ...changes };
}

const TIMES = [
  't_min_us',
  't_p50_us',
  't_max_us',
  't_mean_us',
  't_stdev_us',
  'algbw_GBps',
  'pct_of_peak',
  'setup_us',
];

t.test('a measured phase', async (t) => {
  const measurement = measurementOf({
    entrySkewUs: Float64Array.of(3, 1, 2),
    busbwFactor: 0.75,
    peak: { GBps: 8, source: 'memcpy' },
    setupUs: 12.3456,
  });
  const [row, ...more] = buildRows(factsOf(2), pointOf(7), outcomeOf({ measurements: [measurement] }));
  t.same(more, []);
  t.match(row, {
    run_id: 'test-run',
    point: 7,
    rank: 2,
    status: 'ok',
    warmup: 5,
    iterations: 3,
    iters_ok: 3,
    iters_timed_out: 0,
    payload_bytes: 40_000,
    bytes_pcie: 40_000,
    t_min_us: 10,
    t_p50_us: 20,
    t_max_us: 30,
    t_mean_us: 20,
    t_stdev_us: 10,
    entry_skew_us: 2,
    setup_us: 12.346,
    algbw_GBps: 2,
    busbw_GBps: 1.5,
    peak_GBps: 8,
    peak_source: 'memcpy',
    pct_of_peak: 25,
    checked: 5000,
    wrong: 0,
    started_at: '2026-01-02T03:04:05.678Z',
  });
  for (const absent of [
    'error',
    'error_code',
    'ranks_per_node',
    'bytes_disk',
    't_p95_us',
    'first_bad',
    'hung_rank',
  ]) {
    t.notOk(absent in (row ?? {}), `${absent} is empty`);
  }
});

t.test('params are the swept keys, the series is all that identifies', async (t) => {
  const spec = { layout: { pageSize: 32, kind: 'layerSeparate' }, blocks: 64, strategy: 'auto' };
  const swept = { strategy: 'auto', blocks: 64 };
  const rowOf = (changes: JsonObject, facts = factsOf(0)): Row =>
    buildRows(facts, pointOf(0, { ...spec, ...changes }, swept), outcomeOf())[0] as Row;
  const row = rowOf({});
  t.equal(row['params'], '{"blocks":64,"strategy":"auto"}');
  t.match(row['series'], /^s[0-9a-f]{16}$/);
  t.equal(rowOf({ iterations: 99, timeoutSeconds: 1 })['series'], row['series'], 'the effort does not count');
  t.equal(rowOf({}, factsOf(3, { runId: 'another' }))['series'], row['series'], 'ranks and runs share it');
  t.not(rowOf({ layout: { pageSize: 16 } })['series'], row['series'], 'what is resolved does, swept or not');
  const nodes = factsOf(0, { series: { device: 'host', deviceName: 'host memory', layout: '2+2' } });
  t.not(rowOf({}, nodes)['series'], row['series'], 'and so does the layout of the world');
  t.equal(row['point_rows'], 1);
});

t.test('wrong data: status, place, and its times', async (t) => {
  const verifications = [rightData, { phase: 'total', checked: 10, wrong: 3, firstBad: 'block 3 layer 0' }];
  const [row] = buildRows(factsOf(0), pointOf(), outcomeOf({ verifications }));
  t.match(row, { status: 'wrong', error_code: 'E_WRONG_DATA', checked: 5010, wrong: 3, t_p50_us: 20 });
  t.match(row?.['error'], /3 of 5010 .* block 3 layer 0/);
});

t.test('a verification counts for the phases it names; without one nothing was checked', async (t) => {
  const measurements = [measurementOf({ phase: 'dispatch' }), measurementOf({ phase: 'combine' })];
  const verifications = [{ phase: 'combine', checked: 8, wrong: 1, firstBad: 'token 1' }];
  const rows = buildRows(factsOf(0), pointOf(), outcomeOf({ measurements, verifications }));
  t.match(rows, [
    { phase: 'dispatch', status: 'ok', checked: undefined, wrong: undefined },
    { phase: 'combine', status: 'wrong', checked: 8, wrong: 1 },
  ]);
});

t.test('failures have an error, their phase where it was known, and no times', async (t) => {
  for (const status of ['failed', 'timeout', 'skipped', 'aborted'] as const) {
    const failure = {
      status,
      errorCode: 'E_TIMEOUT',
      error: 'rank 3',
      hungRank: 3,
      hungStage: 'measure',
    } as const;
    const late = buildPointResult(factsOf(0), pointOf(), outcomeOf({ failure }));
    t.match(late.rows, [
      { phase: 'total', status, error_code: 'E_TIMEOUT', error: 'rank 3', hung_rank: 3, iters_ok: 3 },
    ]);
    t.same(late.samplesUs, [[]]);
    const early = buildPointResult(factsOf(0), pointOf(), { measurements: [], verifications: [], failure });
    t.match(early.rows, [
      { status, hung_stage: 'measure', strategy_requested: 'auto', payload_bytes: undefined },
    ]);
    t.notOk('phase' in (early.rows[0] ?? {}) || 'started_at' in (early.rows[0] ?? {}));
    for (const row of [...late.rows, ...early.rows]) {
      for (const name of TIMES) t.notOk(name in row, `${status}: ${name} is empty`);
      t.equal(row['iters_timed_out'], status === 'timeout' ? 1 : undefined);
    }
  }
});

t.test('idle and skipped ranks', async (t) => {
  const place = { phase: 'total', timing: 'host', direction: 'device->host' } as const;
  const measurements: Measurement[] = [
    { ...place, state: 'idle' },
    { ...place, state: 'skipped', errorCode: 'E_UNSUPPORTED_HERE', error: 'needs cuda' },
  ];
  const rows = buildRows(factsOf(0), pointOf(), outcomeOf({ measurements }));
  t.match(rows, [
    {
      status: 'idle',
      error_code: undefined,
      t_p50_us: undefined,
      payload_bytes: undefined,
      checked: undefined,
    },
    { status: 'skipped', error_code: 'E_UNSUPPORTED_HERE', error: 'needs cuda', t_p50_us: undefined },
  ]);
});

t.test('ranks that share a GPU: checked, not timed', async (t) => {
  const shared = factsOf(0, { deviceShared: true, ranksPerNode: 2 });
  const { rows, samplesUs } = buildPointResult(shared, pointOf(), outcomeOf());
  t.match(rows, [{ status: 'ok', checked: 5000, ranks_per_node: 2 }]);
  for (const name of TIMES) t.notOk(name in (rows[0] ?? {}), `${name} is empty`);
  t.same(samplesUs, [[]]);
});

t.test('the gathered form survives JSON', async (t) => {
  const result = buildPointResult(factsOf(0), pointOf(), outcomeOf());
  t.same(JSON.parse(JSON.stringify(result)), result);
  t.same(result.samplesUs, [[30, 10, 20]]);
});

t.test('a kind that brings back nothing has failed', async (t) => {
  t.match(buildRows(factsOf(0), pointOf(), outcomeOf({ measurements: [] })), [
    { status: 'failed', error_code: 'E_JOB' },
  ]);
});

t.test("a kind's own columns, and slow rates", async (t) => {
  const measurement = measurementOf({
    extra: { block_bytes: 4096 },
    bytes: { payload: 1 },
    samplesUs: Float64Array.of(1e6 / 3),
  });
  const [row] = buildRows(factsOf(0), pointOf(), outcomeOf({ measurements: [measurement] }));
  t.match(row, { block_bytes: 4096, t_p50_us: 333333.333, algbw_GBps: 3e-9, t_stdev_us: undefined });
});

t.test('wrong data at a place that nobody knows', async (t) => {
  t.equal(
    wrongDataText({ checked: 8, wrong: 2, firstBad: undefined }),
    '2 of 8 checked values differ; first: place unknown',
  );
});
