/** The rows of a run, each with what identifies it; alike for files of schema version 1 and 2. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RunnerError } from '../errors.js';
import type { Point } from '../job-spec/types.js';
import { ROW_STATUSES, type RowStatus } from './row-status.js';
import { damaged, readCsvRows, type CsvContent, type CsvRow, unreadable } from './csv-rows.js';
import { readManifest, type RunManifest } from './manifest-reader.js';
import { paramsText, readSeries, seriesDigest } from './point-identity.js';
import { isOneOf } from '../values/items.js';

export type ReadStatus = RowStatus;

/** A row of summary.csv or rank-NNNN.csv; `csv` is valid only while the callback runs. */
export interface RunRow {
  readonly point: number;
  readonly jobId: string;
  readonly kind: string;
  /** Only swept keys, canonical JSON; of schema version 1 too. */
  readonly params: string;
  readonly series: string;
  /** Empty where the point ended before any phase was known. */
  readonly phase: string;
  readonly timing: string;
  readonly direction: string;
  readonly status: ReadStatus;
  readonly errorCode: string;
  readonly csv: CsvRow;
}

export interface RunFolder {
  readonly path: string;
  readonly manifest: RunManifest;
}

/** Opens a run for reading. Rejects with E_RUN_READ for what is not a run's folder. */
export async function openRunFolder(path: string): Promise<RunFolder> {
  return { path, manifest: await readManifest(path) };
}

/** Rows over all ranks. Rejects with E_RUN_READ, naming file and line. */
export async function readSummary(run: RunFolder, onRow: (row: RunRow) => void): Promise<CsvContent> {
  return await readRows(run, join(run.path, 'summary.csv'), onRow);
}

/** Rows of one rank. */
export async function readRank(
  run: RunFolder,
  rank: number,
  onRow: (row: RunRow) => void,
): Promise<CsvContent> {
  return await readRows(run, join(run.path, rankFile(rank)), onRow);
}

/** Ranks of the world that have no file in the folder: their host kept it, or it was lost. */
export async function missingRanks(run: RunFolder): Promise<number[]> {
  let names: Set<string>;
  try {
    names = new Set(await readdir(run.path));
  } catch (error) {
    throw unreadable(run.path, error);
  }
  return Array.from({ length: run.manifest.worldSize }, (_, rank) => rank).filter(
    (rank) => !names.has(rankFile(rank)),
  );
}

function rankFile(rank: number): string {
  return `rank-${String(rank).padStart(4, '0')}.csv`;
}

const REQUIRED = [
  'schema_version',
  'run_id',
  'spec_digest',
  'job_id',
  'kind',
  'point',
  'params',
  'phase',
  'timing',
  'direction',
  'status',
  'error_code',
] as const;

async function readRows(run: RunFolder, path: string, onRow: (row: RunRow) => void): Promise<CsvContent> {
  const { manifest } = run;
  const identify = identifier(manifest, path);
  const seen = new Set<string>();
  return await readCsvRows(path, REQUIRED, (csv) => {
    const refuse = (what: string): RunnerError => damaged(path, `line ${csv.line}: ${what}`);
    if (csv.count('schema_version') !== manifest.schemaVersion) {
      throw refuse(`schema_version is not ${manifest.schemaVersion}, which the manifest has`);
    }
    if (csv.text('run_id') !== manifest.runId) throw refuse(`run_id is not ${manifest.runId}`);
    if (csv.text('spec_digest') !== manifest.specDigest) throw refuse("spec_digest is not the manifest's");
    const status = csv.text('status');
    if (!isOneOf(ROW_STATUSES, status)) throw refuse(`status: unknown word ${JSON.stringify(status)}`);
    const row: RunRow = {
      ...identify(csv),
      phase: csv.text('phase'),
      timing: csv.text('timing'),
      direction: csv.text('direction'),
      status,
      errorCode: csv.text('error_code'),
      csv,
    };
    const place = `${row.point} ${row.phase} ${row.timing} ${row.direction}`;
    if (seen.has(place)) {
      throw refuse(`a second row for point ${row.point}, phase ${row.phase || '(none)'}`);
    }
    seen.add(place);
    onRow(row);
  });
}

type Identity = Pick<RunRow, 'point' | 'jobId' | 'kind' | 'params' | 'series'>;

/** Identity by point; worked out once per point. */
function identifier(manifest: RunManifest, path: string): (csv: CsvRow) => Identity {
  const byPoint = new Map<number, Identity>();
  return (csv) => {
    const index = csv.count('point');
    const known = byPoint.get(index);
    if (known) return known;
    const point = manifest.points[index];
    if (point === undefined || csv.text('job_id') !== point.job.id || csv.text('kind') !== point.job.kind) {
      throw damaged(path, `line ${csv.line}: point ${index} is not one of the manifest's spec`);
    }
    const identity = {
      point: index,
      jobId: point.job.id,
      kind: point.job.kind,
      params: paramsText(point.swept),
      series: manifest.schemaVersion >= 2 ? seriesColumn(csv, path) : seriesOf(point, manifest),
    };
    byPoint.set(index, identity);
    return identity;
  };
}

function seriesColumn(csv: CsvRow, path: string): string {
  const text = csv.text('series');
  const series = readSeries(text);
  if (series !== undefined) return series;
  throw damaged(
    path,
    `line ${csv.line}, column series: expected s and 16 hex digits, received ${JSON.stringify(text)}`,
  );
}

export function seriesOf(point: Point, { machine }: Pick<RunManifest, 'machine'>): string {
  const { device, deviceName, layout } = machine;
  return seriesDigest({ kind: point.job.kind, job: point.spec, device, deviceName, layout });
}
