/** From what a rank knows of a point to its rows. Missing stays absent, which the CSV writes as an empty field. */
import type { Measured, Measurement, MeasuredBytes, Verification } from '../job/measurement.js';
import type { ErrorCode } from '../errors.js';
import { bandwidths } from '../statistics/bandwidth.js';
import { describeSamples, nearestRank, sortSamples } from '../statistics/samples.js';
import type { Point } from '../job-spec/types.js';
import type { RunFacts } from './run-facts.js';
import { checkFields, wrongDataText } from './check-fields.js';
import { SCHEMA_VERSION } from './columns.js';
import { dropMissing, roundRate, roundUs, type Fields, type Row } from './fields.js';
import type { RowStatus } from '../run-folder/row-status.js';
import { paramsText, seriesDigest } from '../run-folder/point-identity.js';

export type { Row, RowStatus, RunFacts };

/** Why a point has no figures on this rank. Every rank of the point carries one. */
export interface PointFailure {
  readonly status: 'failed' | 'timeout' | 'skipped' | 'aborted';
  readonly errorCode: ErrorCode;
  readonly error: string;
  readonly hungRank?: number;
  readonly hungStage?: string;
}

export interface PointOutcome {
  /** Absent where the point never started. */
  readonly startedAt?: Date;
  /** What `measure` brought back, also where a later stage failed; empty where it did not get there. */
  readonly measurements: readonly Measurement[];
  readonly verifications: readonly Verification[];
  readonly failure?: PointFailure;
}

/** One rank's part of a point: its rows, and with each row its samples (none where the row has no times). */
export interface RankPointResult {
  readonly rank: number;
  readonly rows: readonly Row[];
  /** Places of rows that the summary leaves out. */
  readonly rankOnly: readonly number[];
  /** By row, in the order taken, microseconds. */
  readonly samplesUs: readonly (readonly number[])[];
  /** By row: entry skew of each sample, where every sample was gated. */
  readonly entrySkewUs: readonly (readonly number[])[];
}

/** The rows and the samples behind them: rows go to this rank's CSV, the whole to rank 0 for the summary. */
export function buildPointResult(facts: RunFacts, point: Point, outcome: PointOutcome): RankPointResult {
  const rows = buildRows(facts, point, outcome);
  const timed = rows.map((row, index) => {
    const measurement = outcome.measurements[index];
    const isTimed = measurement?.state === 'measured' && row['t_p50_us'] !== undefined;
    return isTimed ? measurement : undefined;
  });
  return {
    rank: facts.rank,
    rows,
    rankOnly: outcome.measurements.flatMap((measured, at) =>
      measured.state === 'measured' && measured.rankOnly === true ? [at] : [],
    ),
    samplesUs: timed.map((measured) => Array.from(measured?.samplesUs ?? [])),
    entrySkewUs: timed.map((measured) => Array.from(measured?.entrySkewUs ?? [])),
  };
}

/** One row a measurement, in order; one row without a phase where a failure left none. Never empty. */
export function buildRows(facts: RunFacts, point: Point, outcome: PointOutcome): Row[] {
  const shared = {
    ...placeFields(facts, point),
    started_at: outcome.startedAt?.toISOString(),
    point_rows: Math.max(1, outcome.measurements.length),
  };
  if (outcome.measurements.length === 0) {
    const failure = outcome.failure ?? nothingMeasured;
    return [dropMissing({ ...shared, ...requestFields(point), ...failureFields(failure) })];
  }
  return outcome.measurements.map((measurement) => {
    const fields = {
      ...shared,
      ...requestFields(point),
      ...pathFields(measurement),
      ...(measurement.state === 'measured'
        ? { ...byteFields(measurement.bytes), ...stopFields(measurement) }
        : {}),
    };
    if (outcome.failure) return dropMissing({ ...fields, ...failureFields(outcome.failure, measurement) });
    return dropMissing({ ...fields, ...resultFields(facts, measurement, outcome.verifications) });
  });
}

const nothingMeasured: PointFailure = {
  status: 'failed',
  errorCode: 'E_JOB',
  error:
    'measure came back without a measurement: expected at least one from every rank, idle ranks included',
};

function placeFields(facts: RunFacts, point: Point): Fields {
  return {
    schema_version: SCHEMA_VERSION,
    run_id: facts.runId,
    spec_digest: facts.specDigest,
    job_id: point.job.id,
    kind: point.job.kind,
    point: point.index,
    params: paramsText(point.swept),
    series: seriesDigest({ kind: point.job.kind, job: point.spec, ...facts.series }),
    rank: facts.rank,
    world_size: facts.worldSize,
    node: facts.node,
    local_rank: facts.localRank,
    ranks_per_node: facts.ranksPerNode > 0 ? facts.ranksPerNode : undefined,
    hostname: facts.hostname,
    device: facts.device.kind,
    device_name: facts.device.name,
    device_uuid: facts.device.uuid,
    warmup: point.job.warmup,
    iterations: point.job.stopping === undefined ? point.job.iterations : undefined,
  };
}

/** What the spec asked for is known even where nothing ran. */
function requestFields(point: Point): Fields {
  const { strategy, transport } = point.spec;
  return {
    strategy_requested: typeof strategy === 'string' ? strategy : undefined,
    transport_requested: typeof transport === 'string' ? transport : undefined,
  };
}

function pathFields(measurement: Measurement): Fields {
  return dropMissing({
    phase: measurement.phase,
    timing: measurement.timing,
    direction: measurement.direction,
    strategy_requested: measurement.strategyRequested,
    strategy_used: measurement.strategyUsed,
    transport_requested: measurement.transportRequested,
    transport_used: measurement.transportUsed,
    network_transport: measurement.networkTransport,
    network_memory: measurement.networkMemory,
    disk_io: measurement.diskIo,
    routing_digest: measurement.routingDigest,
    ...measurement.extra,
  });
}

/** Where the number of samples was not fixed, what became of it. */
function stopFields({ stoppedBy, samplesUs }: Measured): Fields {
  return stoppedBy === undefined ? {} : { iterations: samplesUs.length, stopped_by: stoppedBy };
}

function byteFields(bytes: MeasuredBytes): Fields {
  return {
    payload_bytes: bytes.payload,
    logical_bytes: bytes.logical,
    padded_bytes: bytes.padded,
    bytes_self: bytes.self,
    bytes_ipc: bytes.ipc,
    bytes_network: bytes.network,
    bytes_pcie: bytes.pcie,
    bytes_disk: bytes.disk,
  };
}

/** No times: what a point that did not end well took says nothing about its speed. */
function failureFields(failure: PointFailure, measurement?: Measurement): Fields {
  const ranOut = failure.status === 'timeout' && failure.hungStage === 'measure';
  return {
    status: failure.status,
    error_code: failure.errorCode,
    error: failure.error,
    iters_ok: measurement?.state === 'measured' ? measurement.samplesUs.length : undefined,
    iters_timed_out: ranOut ? 1 : undefined,
    hung_rank: failure.hungRank,
    hung_stage: failure.hungStage,
  };
}

function resultFields(
  facts: RunFacts,
  measurement: Measurement,
  verifications: readonly Verification[],
): Fields {
  if (measurement.state === 'idle') return { status: 'idle' };
  if (measurement.state === 'skipped') {
    return { status: 'skipped', error_code: measurement.errorCode, error: measurement.error };
  }
  const check = checkFields(measurement.phase, verifications);
  const checked = {
    status: check.wrong ? 'wrong' : 'ok',
    ...(check.wrong ? { error_code: 'E_WRONG_DATA', error: wrongDataText(check) } : {}),
    checked: check.checked,
    wrong: check.wrong,
    first_bad: check.firstBad,
    iters_ok: measurement.samplesUs.length,
    iters_timed_out: 0,
  };
  if (facts.deviceShared || measurement.samplesUs.length === 0) return checked;
  return { ...checked, ...timeFields(measurement) };
}

const BEATEN_PEAK = 'above the one probe before the samples: something slowed that down';

function timeFields(measurement: Measured): Fields {
  const times = describeSamples(measurement.samplesUs);
  const skew = measurement.entrySkewUs;
  const rates = bandwidths({
    timeUs: times.p50,
    payloadBytes: measurement.bytes.payload,
    logicalBytes: measurement.bytes.logical,
    busbwFactor: measurement.busbwFactor,
    peakGBps: measurement.peak?.GBps,
  });
  return {
    t_min_us: roundUs(times.min),
    t_p50_us: roundUs(times.p50),
    t_p95_us: roundUs(times.p95),
    t_p99_us: roundUs(times.p99),
    t_max_us: roundUs(times.max),
    t_mean_us: roundUs(times.mean),
    t_stdev_us: roundUs(times.stdev),
    entry_skew_us: skew && skew.length > 0 ? roundUs(nearestRank(sortSamples(skew), 50)) : undefined,
    setup_us: roundUs(measurement.setupUs),
    overlap_pct: roundRate(measurement.overlapPct),
    algbw_GBps: roundRate(rates.algbwGBps),
    busbw_GBps: roundRate(rates.busbwGBps),
    logbw_GBps: roundRate(rates.logbwGBps),
    peak_GBps: roundRate(measurement.peak?.GBps),
    peak_source: measurement.peak?.source,
    pct_of_peak: roundRate(rates.pctOfPeak),
    peak_note: (rates.pctOfPeak ?? 0) > 100 ? (measurement.peak?.note ?? BEATEN_PEAK) : undefined,
  };
}
