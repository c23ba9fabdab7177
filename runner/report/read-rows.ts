/** The rows of one run folder as a report has them; what cannot be read is returned as sentences, never thrown. */
import { RunnerError } from '../errors.js';
import { rankList } from '../text/ranges.js';
import type { CsvRow } from '../run-folder/csv-rows.js';
import { paramsText } from '../run-folder/point-identity.js';
import {
  missingRanks,
  readRank,
  readSummary,
  seriesOf,
  type RunFolder,
  type RunRow,
} from '../run-folder/run-rows.js';
import { PLACES_FOUND, TRANSPORTS, type RankTime, type ReportRow, type Times } from './model.js';
import { isObject } from '../job-spec/pointer.js';
import { recordOf } from '../values/objects.js';

/** Reads summary.csv into `rows`; returns what is wrong with it. */
export async function readPart(run: RunFolder, rows: ReportRow[]): Promise<string[]> {
  const { runId, outcome } = run.manifest;
  const complaints: string[] = [];
  if (outcome === 'running') {
    complaints.push(`${runId}: was cut short, or still goes on: there is no manifest.json`);
  } else if (outcome !== 'ok') {
    const { error } = run.manifest.json;
    const why = isObject(error) ? `: ${String(error['code'] ?? '')} ${String(error['message'] ?? '')}` : '';
    complaints.push(`${runId}: its outcome is ${outcome}${why}`);
  }
  try {
    const content = await readSummary(run, (row) => {
      try {
        rows.push(toReportRow(run, row));
      } catch (error) {
        // A cell that is not a number spoils its row; the rows around it are as good as before.
        if (!(error instanceof RunnerError)) throw error;
        complaints.push(`${runId}: a row was left out: ${error.message}`);
      }
    });
    if (content.truncated) complaints.push(`${runId}: summary.csv ends within a row, which was left out`);
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    complaints.push(`${runId}: ${error.message}`);
  }
  return complaints;
}

function toReportRow(run: RunFolder, row: RunRow): ReportRow {
  const { csv } = row;
  const number = (column: string): number | undefined => csv.number(column);
  return {
    ...keyFields(run, row),
    point: row.point,
    status: row.status,
    errorCode: row.errorCode,
    error: csv.text('error'),
    errorRank: csv.text('error_rank'),
    strategy: csv.text('strategy_used') || csv.text('strategy_requested'),
    transport: csv.text('transport_used') || csv.text('transport_requested'),
    iterations: number('iterations') ?? 0,
    payloadBytes: number('payload_bytes'),
    bytesBy: recordOf(TRANSPORTS, (name) => number(`bytes_${name}`)),
    blocksFound: recordOf(PLACES_FOUND, (place) => number(place === 'missed' ? 'misses' : `hits_${place}`)),
    totalGBps: number('aggregate_GBps'),
    peakGBps: number('aggregate_peak_GBps'),
    peakSource: csv.text('peak_source'),
    pctOfPeak: number('aggregate_pct_of_peak'),
    checked: number('checked'),
    wrong: number('wrong'),
    spreadPct: number('spread_pct'),
    slowestRank: number('slowest_rank'),
    slowestSharePct: number('slowest_share_pct'),
    ...timesOf(csv),
  };
}

function timesOf(csv: CsvRow): Times {
  return {
    minUs: csv.number('t_min_us'),
    p50Us: csv.number('t_p50_us'),
    p95Us: csv.number('t_p95_us'),
    p99Us: csv.number('t_p99_us'),
    maxUs: csv.number('t_max_us'),
    meanUs: csv.number('t_mean_us'),
    stdevUs: csv.number('t_stdev_us'),
  };
}

function keyFields(
  run: RunFolder,
  row: Pick<RunRow, 'jobId' | 'kind' | 'params' | 'phase' | 'timing' | 'direction' | 'series'>,
) {
  const { specName, machine } = run.manifest;
  const { jobId, kind, params, phase, timing, direction, series } = row;
  return { specName, layout: machine.layout, jobId, kind, params, phase, timing, direction, series };
}

/** A row for each point that the run should have measured and has no row of. */
export function missingRows(run: RunFolder, rows: readonly ReportRow[]): ReportRow[] {
  const { points, selectedPoints } = run.manifest;
  const present = new Set(rows.map((row) => row.point));
  const asked = selectedPoints && new Set(selectedPoints);
  return points
    .filter(({ index }) => !present.has(index) && (asked === undefined || asked.has(index)))
    .map((point) => ({
      ...keyFields(run, {
        jobId: point.job.id,
        kind: point.job.kind,
        params: paramsText(point.swept),
        phase: '',
        timing: '',
        direction: '',
        series: seriesOf(point, run.manifest),
      }),
      point: point.index,
      status: 'missing',
      ...NOTHING_MEASURED,
      error: 'no row: the run ended before this point, or its shard was not named',
    }));
}

const NOTHING_MEASURED = {
  errorCode: '',
  errorRank: '',
  strategy: '',
  transport: '',
  iterations: 0,
  payloadBytes: undefined,
  blocksFound: { device: undefined, host: undefined, disk: undefined, missed: undefined },
  bytesBy: { self: undefined, ipc: undefined, network: undefined, pcie: undefined, disk: undefined },
  totalGBps: undefined,
  peakGBps: undefined,
  peakSource: '',
  pctOfPeak: undefined,
  checked: undefined,
  wrong: undefined,
  spreadPct: undefined,
  slowestRank: undefined,
  slowestSharePct: undefined,
  minUs: undefined,
  p50Us: undefined,
  p95Us: undefined,
  p99Us: undefined,
  maxUs: undefined,
  meanUs: undefined,
  stdevUs: undefined,
} as const;

/** Median times of each rank into `times`; returns which ranks have none, and why. */
export async function readRanks(run: RunFolder, times: RankTime[]): Promise<string[]> {
  const { runId, worldSize } = run.manifest;
  const complaints: string[] = [];
  const missing = new Set(await missingRanks(run));
  if (missing.size > 0) {
    complaints.push(
      `${runId}: no file of ${rankList([...missing])}: copy it from its host, where it was written`,
    );
  }
  for (let rank = 0; rank < worldSize; rank += 1) {
    if (missing.has(rank)) continue;
    try {
      const { truncated } = await readRank(run, rank, ({ point, phase, timing, direction, csv }) => {
        const p50Us = csv.number('t_p50_us');
        if (p50Us !== undefined) times.push({ point, phase, timing, direction, rank, p50Us });
      });
      if (truncated)
        complaints.push(`${runId}: the file of rank ${rank} ends within a row, which was left out`);
    } catch (error) {
      if (!(error instanceof RunnerError)) throw error;
      complaints.push(`${runId}: rank ${rank}: ${error.message}`);
    }
  }
  return complaints;
}
