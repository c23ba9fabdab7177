/** Runs as a comparison sees them: for each key one figure per run, or why there is none. */
import type { JsonObject } from '../job-spec/types.js';
import { sweptText } from '../results/params.js';
import type { MachineClass } from '../run-folder/machine-class.js';
import { openRunFolder, readSummary, type ReadStatus, type RunRow } from '../run-folder/run-rows.js';
import { joinShards, type JoinedRun } from '../run-folder/shards.js';
import { firstOf, itemAt } from '../values/items.js';
import { parseJsonObject } from '../values/json.js';

/** Which figure is compared: the median completion time, or the share of the probed peak. */
export type Metric = 'time' | 'share';

export interface Cell {
  readonly status: ReadStatus;
  /** Natural logarithm of a quantity that is better the smaller; undefined where nothing was measured. */
  readonly log: number | undefined;
  readonly series: string;
  readonly point: number;
  readonly job: JsonObject;
}

export interface RunTable {
  readonly name: string;
  readonly startedAt: Date;
  readonly machine: MachineClass;
  readonly cells: ReadonlyMap<string, Cell>;
  /** What is not as it should be, in sentences. */
  readonly problems: readonly string[];
}

/** Reads the folders, shards joined. Rejects with E_RUN_READ and E_USAGE. */
export async function readRuns(folders: readonly string[], metric: Metric): Promise<RunTable[]> {
  const opened = [];
  for (const folder of folders) opened.push(await openRunFolder(folder));
  const tables = [];
  for (const run of joinShards(opened)) tables.push(await readTable(run, metric));
  return tables;
}

async function readTable(run: JoinedRun, metric: Metric): Promise<RunTable> {
  const cells = new Map<string, Cell>();
  const problems: string[] = [];
  const first = firstOf(run.parts);
  for (const part of run.parts) {
    const { manifest, path } = part;
    if (manifest.outcome !== 'ok') problems.push(`${path}: the run did not end well (${manifest.outcome})`);
    const { truncated } = await readSummary(part, (row) => {
      cells.set(keyOf(row, manifest.machine.layout), {
        status: row.status,
        log: logOf(row, metric),
        series: row.series,
        point: row.point,
        job: itemAt(manifest.points, row.point).spec,
      });
    });
    if (truncated) problems.push(`${path}: summary.csv ends in the middle of a row`);
  }
  if (run.missingShards.length > 0) problems.push(`${first.path}: shards ${run.missingShards} are missing`);
  const { runId, machine } = first.manifest;
  return { name: runId, startedAt: run.startedAt, machine, cells, problems };
}

function logOf(row: RunRow, metric: Metric): number | undefined {
  if (row.status !== 'ok') return undefined;
  const value = row.csv.number(metric === 'time' ? 't_p50_us' : 'aggregate_pct_of_peak');
  if (value === undefined || value <= 0) return undefined;
  return metric === 'time' ? Math.log(value) : -Math.log(value);
}

type KeyPart = string;

/** The identity of a row over runs. Point numbers and digests may change with the spec; these do not. */
function keyOf(row: RunRow, layout: string): string {
  const parts: KeyPart[] = [row.kind, row.jobId, row.params, layout, row.phase, row.timing, row.direction];
  return parts.join('\u0000');
}

/** The key of the point that failed before any phase was known. */
export function phaselessKey(key: string): string {
  return [...key.split('\u0000').slice(0, 4), '', '', ''].join('\u0000');
}

export function isPhaseless(key: string): boolean {
  return key.split('\u0000')[4] === '';
}

/** `down blocks=64 total/host device->host` */
export function keyText(key: string): string {
  const [, jobId = '', params = '{}', , phase = '', timing = '', direction = ''] = key.split('\u0000');
  const swept = sweptText(parseJsonObject(params));
  return [jobId, swept, phase === '' ? '' : `${phase}/${timing}`, direction]
    .filter((part) => part !== '')
    .join(' ');
}
