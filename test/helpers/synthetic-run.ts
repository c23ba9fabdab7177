/** Run folders with chosen times, as `run` writes them: for readers, comparisons and their benchmarks. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { JOB_KINDS } from '../../jobs/index.js';
import { canonicalJson } from '../../runner/job-spec/canonical.js';
import { loadSpec } from '../../runner/job-spec/load.js';
import type { Point, ResolvedSpec } from '../../runner/job-spec/types.js';
import { identifyingKeys, paramsText, seriesDigest } from '../../runner/run-folder/point-identity.js';
import { writeSmallSpec, type SmallSpecOptions } from './small-spec.js';

export type Cells = Readonly<Record<string, string | number>>;

export interface SyntheticRun {
  readonly runId: string;
  readonly spec: ResolvedSpec;
  readonly startedAt: string;
  /** Default 2. */
  readonly schemaVersion?: number;
  /** Cells of a point's row beyond its identity; undefined leaves the row out. */
  readonly cells: (point: Point) => Cells | undefined;
  /** Fields of the manifest instead of the usual ones. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly worldSize?: number;
  /** Default `AMD EPYC`. */
  readonly deviceName?: string;
}

/** A spec of `numPoints` points that differ in their seed. */
export function syntheticSpec(folder: string, options: SmallSpecOptions = {}): ResolvedSpec {
  return loadSpec(writeSmallSpec(folder, options), { kinds: JOB_KINDS });
}

/** Writes `folder`/`runId` with summary.csv, a CSV of each rank and manifest.json; returns its path. */
export function writeSyntheticRun(folder: string, run: SyntheticRun): string {
  const path = join(folder, run.runId);
  mkdirSync(path, { recursive: true });
  const rows = run.spec.points.flatMap((point) => {
    const own = run.cells(point);
    return own === undefined ? [] : [{ ...identityCells(run, point), ...own }];
  });
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const table = (more: Cells): string =>
    stringify(
      rows.map((row) => ({ ...row, ...more })),
      { header: true, columns: [...columns, ...Object.keys(more)] },
    );
  writeFileSync(join(path, 'summary.csv'), table({}));
  for (let rank = 0; rank < worldSizeOf(run); rank += 1) {
    writeFileSync(join(path, `rank-${String(rank).padStart(4, '0')}.csv`), table({ rank }));
  }
  writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifestOf(run)));
  return path;
}

const worldSizeOf = (run: SyntheticRun): number => run.worldSize ?? 2;
const deviceNameOf = (run: SyntheticRun): string => run.deviceName ?? 'AMD EPYC';

function identityCells(run: SyntheticRun, point: Point): Cells {
  const { spec, schemaVersion = 2 } = run;
  const layout = String(worldSizeOf(run));
  const place = { device: 'host', deviceName: deviceNameOf(run), layout };
  return {
    schema_version: schemaVersion,
    run_id: run.runId,
    spec_digest: spec.digest,
    job_id: point.job.id,
    kind: point.job.kind,
    point: point.index,
    params: schemaVersion === 1 ? canonicalJson(identifyingKeys(point.spec)) : paramsText(point.swept),
    phase: 'total',
    timing: 'host',
    direction: 'device->host',
    status: 'ok',
    error_code: '',
    error: '',
    iterations: 30,
    t_p50_us: '',
    ...(schemaVersion === 1
      ? {}
      : { series: seriesDigest({ kind: point.job.kind, job: point.spec, ...place }) }),
  };
}

function manifestOf(run: SyntheticRun): object {
  const ranks = Array.from({ length: worldSizeOf(run) }, (_, rank) => rank);
  return {
    schemaVersion: run.schemaVersion ?? 2,
    runId: run.runId,
    outcome: 'ok',
    exitStatus: 0,
    error: null,
    startedAt: run.startedAt,
    endedAt: run.startedAt,
    spec: {
      digest: run.spec.digest,
      path: 'spec.json',
      resolved: JSON.parse(run.spec.canonicalText) as unknown,
    },
    versions: { mpi: 'openmpi: Open MPI v4.1.4, package: Debian' },
    topology: {
      worldSize: ranks.length,
      numNodes: 1,
      ranksPerNode: 0,
      ranks: ranks.map((rank) => ({ rank, node: 0, localRank: rank, hostname: 'h' })),
    },
    devices: ranks.map(() => ({ kind: 'host', name: deviceNameOf(run), uuid: 'u' })),
    probes: [],
    environment: {},
    statusCounts: [],
    ...run.manifest,
  };
}
