import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Measurement } from '../../../runner/job/measurement.js';
import { columnsForKinds } from '../../../runner/results/columns.js';
import { buildPointResult, type PointFailure, type RankPointResult } from '../../../runner/results/row.js';
import { Summary, summarizePoint } from '../../../runner/results/summary.js';
import {
  factsOf,
  measurementOf,
  parseCsv,
  pointOf,
  resultOf,
  rightData,
} from '../../helpers/result-samples.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const timesOf = (...us: number[]) => ({
  samplesUs: Float64Array.from(us),
  peak: { GBps: 8, source: 'memcpy' },
});

function failedOn(rank: number, failure: PointFailure): RankPointResult {
  return buildPointResult(factsOf(rank), pointOf(), { measurements: [], verifications: [], failure });
}

t.test('one row over all ranks, extremes with their ranks, aggregate measured together', async (t) => {
  const perRank = [
    resultOf(2, timesOf(50, 10, 20)),
    resultOf(0, timesOf(10, 40, 10)),
    resultOf(1, timesOf(20, 20, 40)),
  ];
  const [row, ...more] = summarizePoint(perRank);
  t.same(more, []);
  t.match(row, {
    job_id: 'down',
    status: 'ok',
    error_rank: undefined,
    ranks_reported: 3,
    ranks_measured: 3,
    payload_bytes: 120_000,
    bytes_disk: undefined,
    strategy_used: 'kernel',
    // Maximum over ranks of each iteration: 50, 40, 40.
    t_min_us: 40,
    t_p50_us: 40,
    t_max_us: 50,
    rank_mean_p50_us: 23.333,
    rank_p50_min_us: 10,
    rank_p50_min_rank: 0,
    rank_p50_max_us: 20,
    rank_p50_max_rank: 1,
    spread_us: 10,
    spread_pct: 100,
    algbw_min_GBps: 2,
    algbw_min_rank: 1,
    algbw_max_GBps: 4,
    algbw_max_rank: 0,
    busbw_min_GBps: undefined,
    slowest_rank: 0,
    slowest_share_pct: 33.3333,
    // 120 000 bytes in 40 us: not the sum of the ranks' own 4 + 2 + 2.
    aggregate_GBps: 3,
    aggregate_peak_GBps: 24,
    aggregate_pct_of_peak: 12.5,
    checked: 15_000,
    wrong: 0,
    wrong_ranks: 0,
  });
});

t.test('phases apart; idle ranks count in neither times nor bytes', async (t) => {
  const idle: Measurement = { state: 'idle', phase: 'load', timing: 'host', direction: 'device->host' };
  const both = [measurementOf({ phase: 'load' }), measurementOf({ phase: 'broadcast' })];
  const outcome = (measurements: readonly Measurement[]) => ({ measurements, verifications: [rightData] });
  const rows = summarizePoint([
    buildPointResult(factsOf(0), pointOf(), outcome(both)),
    buildPointResult(factsOf(1), pointOf(), outcome([idle, measurementOf({ phase: 'broadcast' })])),
  ]);
  t.match(rows, [
    {
      phase: 'load',
      status: 'ok',
      ranks_reported: 2,
      ranks_measured: 1,
      payload_bytes: 40_000,
      aggregate_GBps: 2,
    },
    { phase: 'broadcast', status: 'ok', ranks_measured: 2, payload_bytes: 80_000, aggregate_GBps: 4 },
  ]);
});

t.test('wrong data on one rank', async (t) => {
  const verifications = [{ checked: 5000, wrong: 2, firstBad: 'block 7' }];
  const bad = buildPointResult(factsOf(1), pointOf(), { measurements: [measurementOf()], verifications });
  t.match(summarizePoint([resultOf(0), bad]), [
    {
      status: 'wrong',
      error_code: 'E_WRONG_DATA',
      error_rank: 1,
      wrong: 2,
      wrong_ranks: 1,
      first_bad: 'block 7',
    },
  ]);
});

t.test('the culprit is named, not those who learned of it', async (t) => {
  const learned = { status: 'failed', errorCode: 'E_PEER_FAILED', error: 'rank 2 failed prepare' } as const;
  const culprit = { status: 'failed', errorCode: 'E_ALLOCATION', error: 'no memory' } as const;
  t.match(summarizePoint([failedOn(0, learned), failedOn(1, learned), failedOn(2, culprit)]), [
    { status: 'failed', error_code: 'E_ALLOCATION', error: 'no memory', error_rank: 2, t_p50_us: undefined },
  ]);
  const hung = {
    status: 'timeout',
    errorCode: 'E_TIMEOUT',
    error: 'late',
    hungRank: 3,
    hungStage: 'measure',
  } as const;
  t.match(summarizePoint([failedOn(0, hung), failedOn(1, hung)]), [
    { status: 'timeout', hung_rank: 3, hung_stage: 'measure', ranks_reported: 2, ranks_measured: 0 },
  ]);
});

t.test('a rank that failed before its phases were known fails every phase', async (t) => {
  const failure = { status: 'failed', errorCode: 'E_JOB', error: 'threw' } as const;
  t.match(summarizePoint([resultOf(0), failedOn(1, failure)]), [
    { phase: 'total', status: 'failed', error_rank: 1 },
  ]);
});

t.test('a point of which no rank has a row that counts has none', async (t) => {
  const only = { ...resultOf(0), rankOnly: [0] };
  t.same(summarizePoint([only]), []);
});

t.test('unequal numbers of samples: medians, but no completion time', async (t) => {
  const [row] = summarizePoint([resultOf(0, timesOf(1, 2)), resultOf(1, timesOf(1))]);
  t.match(row, { rank_p50_max_us: 1, t_p50_us: undefined, aggregate_GBps: undefined });
});

t.test('ranks that took different paths show both', async (t) => {
  const perRank = [resultOf(0, { transportUsed: 'ipc' }), resultOf(1, { transportUsed: 'network' })];
  t.match(summarizePoint(perRank), [{ transport_used: 'ipc|network' }]);
});

t.test("the file: header with the kinds' columns, rows as points end", (t) =>
  withTempDir(async (folder) => {
    const ownColumn = { name: 'block_bytes', unit: 'bytes', meaning: 'of a block' } as const;
    const columns = columnsForKinds([{ kind: 'offload', columns: [ownColumn] }], ['offload']);
    const summary = await Summary.open(folder, columns);
    const rows = summary.rowsOf([
      resultOf(0, { extra: { block_bytes: 4096 } }),
      resultOf(1, { extra: { block_bytes: 4096 } }),
    ]);
    void summary.append(rows);
    void summary.append(
      summary.rowsOf([
        resultOf(0, { extra: { block_bytes: 1 } }),
        resultOf(1, { extra: { block_bytes: 2 } }),
      ]),
    );
    summary.endJob();
    await summary.close();
    const parsed = parseCsv(readFileSync(join(folder, 'summary.csv'), 'utf8'));
    t.match(parsed, [
      { block_bytes: '4096', ranks_measured: '2', started_at: '2001-09-09T01:46:40.000Z' },
      { block_bytes: '' },
    ]);
    t.equal(rows[0]?.['block_bytes'], 4096);
    await t.rejects(Summary.open(folder, columns), { code: 'E_RUN_EXISTS' });
  }),
);
