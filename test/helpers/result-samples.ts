/** Facts, points and measurements as the engine hands them to the results module; tests change what they look at. */
import { stringify } from 'csv-stringify/sync';
import { parse } from 'csv-parse/sync';
import type { Measured } from '../../runner/job/measurement.js';
import { columnsForKinds, type ColumnDefinition } from '../../runner/results/columns.js';
import type { ManifestStart } from '../../runner/results/manifest.js';
import { buildPointResult, type RankPointResult, type Row, type RunFacts } from '../../runner/results/row.js';
import type { JsonObject, Point } from '../../runner/job-spec/types.js';

export const factsOf = (rank: number, changes: Partial<RunFacts> = {}): RunFacts => ({
  runId: 'test-run',
  specDigest: 'abc123',
  rank,
  worldSize: 4,
  node: 0,
  localRank: rank,
  ranksPerNode: 0,
  hostname: 'host-a',
  device: { kind: 'host', name: 'host memory', uuid: 'host-0' },
  series: { device: 'host', deviceName: 'host memory', layout: '4' },
  deviceShared: false,
  ...changes,
});

export function pointOf(index = 0, spec: JsonObject = {}, swept: JsonObject = {}): Point {
  const job = {
    id: 'down',
    kind: 'offload',
    seed: 1,
    warmup: 5,
    iterations: 3,
    timeoutSeconds: 120,
    verify: 'full',
    freeRunning: false,
    probe: true,
    saveSamples: false,
  } as const;
  return {
    index,
    job,
    jobIndex: 0,
    spec: { ...job, blocks: 16, strategy: 'auto', ...spec },
    swept,
    files: {},
  };
}

export const measurementOf = (changes: Partial<Measured> = {}): Measured => ({
  state: 'measured',
  phase: 'total',
  timing: 'host',
  direction: 'device->host',
  samplesUs: Float64Array.of(30, 10, 20),
  bytes: { payload: 40_000, pcie: 40_000 },
  strategyRequested: 'auto',
  strategyUsed: 'kernel',
  ...changes,
});

export const rightData = { checked: 5000, wrong: 0, firstBad: '' };

export function resultOf(rank: number, changes: Partial<Measured> = {}): RankPointResult {
  const outcome = {
    startedAt: new Date(1e12),
    measurements: [measurementOf(changes)],
    verifications: [rightData],
  };
  return buildPointResult(factsOf(rank), pointOf(), outcome);
}

/** The rows of `resultOf` as rows of another point. */
export function rowsOfPoint(rank: number, point: number, changes: Row = {}): Row[] {
  return resultOf(rank).rows.map((row) => Object.assign({}, row, { point }, changes));
}

export const plainColumns: ColumnDefinition[] = columnsForKinds([], []);

/** Rows of a CSV text by column name. */
export function parseCsv(text: string): Record<string, string>[] {
  return parse(text, { columns: true });
}

export function headerLine(columns: readonly ColumnDefinition[]): string {
  return stringify([columns.map((column) => column.name)]);
}

export const manifestStart: ManifestStart = {
  schemaVersion: 2,
  runId: 'test-run',
  startedAt: '2026-01-02T03:04:05.678Z',
  resumedAt: [],
  shard: null,
  points: null,
  spec: { digest: 'abc123', path: 'example.json', resolved: { name: 'example', jobs: [] } },
  versions: {
    railrunner: '0.1.0',
    commit: null,
    addon: '0.1.0 (Release, gcc 12.2.0)',
    node: 'v20.20.2',
    mpi: 'openmpi: Open MPI v4.1.4',
    kernel: '6.1.0',
    driver: null,
    cuda: null,
    cudaDriver: null,
    ucx: null,
    nccl: null,
  },
  topology: {
    worldSize: 1,
    numNodes: 1,
    ranksPerNode: 0,
    ranks: [{ rank: 0, node: 0, localRank: 0, hostname: 'host-a' }],
  },
  devices: [{ rank: 0, kind: 'host' }],
  machine: {
    device: 'host',
    deviceName: 'host memory',
    cpuModel: 'cpu',
    driverMajor: null,
    nccl: null,
    mpi: 'Open MPI 4.1.4',
    layout: '1',
  },
  probes: [],
  environment: { UCX_TLS: 'tcp' },
};
