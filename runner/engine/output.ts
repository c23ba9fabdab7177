/** Everything that a run writes while points run: its folder, rows, summary and manifest; new, or those of a run that goes on. */
import { join, resolve } from 'node:path';
import { allowedEnvironment } from '../environment/recorded.js';
import type { JsonValue, ResolvedSpec } from '../job-spec/types.js';
import { RunnerError } from '../errors.js';
import { createLog } from '../log.js';
import { columnsForKinds, SCHEMA_VERSION, type ColumnDefinition } from '../results/columns.js';
import { ManifestFile, type RecordedVersions } from '../results/manifest.js';
import { StatusCounts } from '../results/status-counts.js';
import { RankCsv } from '../results/rank-csv.js';
import { rowOfRecord } from '../results/records.js';
import { claimRunFolder, joinRunFolder, makeRunId } from '../results/run-folder.js';
import { summaryColumns } from '../results/summary.js';
import type { MachineClass } from '../run-folder/machine-class.js';
import { decideTerminal, type Terminal } from '../console/terminal.js';
import { startTimeoutMs } from '../world/deadlines.js';
import { onAllRanks } from '../world/on-all-ranks.js';
import { numberList } from '../text/ranges.js';
import type { World } from '../world/world.js';
import { foretellStop } from './leave.js';
import { exitOf } from './outcome.js';
import type { Place } from './places.js';
import { openReport } from './report.js';
import { lockRun } from './run-lock.js';
import type { Logger } from 'pino';
import { agreeOnKept, shareEarlierRun, withdrawManifest, type EarlierRun, type Kept } from './resume.js';
import type { Run } from './run-state.js';
import { selectPoints, type Selection } from './selection.js';
import type { RunRequest, StartContext } from './run-request.js';
import { parseJson } from '../values/json.js';

export interface OutputRequest {
  readonly spec: ResolvedSpec;
  readonly selection: Selection;
  readonly versions: RecordedVersions;
  readonly places: readonly Place[];
  readonly machine: MachineClass;
}

export type Output = Pick<
  Run,
  'log' | 'csv' | 'report' | 'folder' | 'manifest' | 'counts' | 'pending' | 'numKept' | 'keptExit'
> & { readonly runId: string };

const NOTHING_KEPT: Kept = { points: new Set(), rankRecords: [], summaryRecords: [] };

/** Collective. Throws the same error on all ranks. */
export async function openOutput(context: StartContext, wanted: OutputRequest): Promise<Output> {
  const startedAt = new Date().toISOString();
  const { request, world, begun } = context;
  const { logFile } = begun;
  const { spec } = wanted;
  const { rank, node, hostname } = world.info;
  const log = createLog(logFile, { pid: process.pid, rank, node, host: hostname });
  const rankColumns = columnsForKinds(request.kinds, new Set(spec.jobs.map((job) => job.common.kind)));
  const columns = { rank: rankColumns, summary: summaryColumns(rankColumns) };
  const earlier =
    request.resume === undefined
      ? undefined
      : await shareEarlierRun(world, { path: request.resume, ...wanted }, (folder) =>
          lockFolder(context, folder, log),
        );
  await refuseIfStopped(context);
  const { runId, folder } = earlier ?? (await shareFolder(request, world));
  if (earlier === undefined) await lockFolder(context, folder, log);
  const kept = earlier ? await agreeOnKept(world, earlier, spec, columns) : NOTHING_KEPT;
  const selection = earlier
    ? { shard: earlier.shard ?? undefined, points: earlier.points ?? undefined }
    : wanted.selection;
  const pending = selectPoints(spec.points, selection).filter(({ index }) => !kept.points.has(index));
  const manifest = await beginManifest(
    context,
    { ...wanted, selection },
    { runId, folder, startedAt, earlier },
  );
  begun.manifest = manifest;
  if (context.stop.status !== 0) foretellStop(begun);
  const csv = await onAllRanks(world, 'opening the row file', async () => {
    await logFile.open(folder, rank);
    return await RankCsv.open(folder, rank, columns.rank, earlier && kept.rankRecords);
  });
  const report = await onAllRanks(world, 'opening the summary', async () =>
    rank === 0
      ? await openReport({
          folder,
          columns: columns.rank,
          points: spec.points,
          terminal: terminalOf(context),
          kept: earlier && kept.summaryRecords,
        })
      : undefined,
  );
  return { log, csv, report, folder, runId, manifest, pending, ...keptFacts(columns.rank, kept) };
}

/** Collective. A run that still goes on must not be resumed: two writers would spoil its files. */
async function lockFolder({ world, begun }: StartContext, folder: string, log: Logger): Promise<void> {
  const { rank } = world.info;
  const lock = await onAllRanks(world, 'locking the run folder', () =>
    lockRun(begun.process.addon(), folder, rank),
  );
  /* v8 ignore start -- another machine */
  if (lock === 'unsupported') {
    log.warn({ folder }, 'the file system has no locks: nothing keeps a second run out of this folder');
  }
  /* v8 ignore stop */
}

/** Collective. A signal that came on any rank before there is a folder: none is made. */
async function refuseIfStopped({ world, stop }: StartContext): Promise<void> {
  const own = { status: stop.status, signal: stop.signal };
  const first = (await world.allgatherJson(own, startTimeoutMs())).find(({ status }) => status !== 0);
  if (!first) return;
  stop.note(first.status, first.signal);
  throw new RunnerError(
    'E_INTERRUPTED',
    `ended by ${first.signal} before the first point: nothing was measured`,
  );
}

function keptFacts(
  columns: readonly ColumnDefinition[],
  kept: Kept,
): Pick<Output, 'counts' | 'numKept' | 'keptExit'> {
  const rows = kept.rankRecords.map((record) => rowOfRecord(columns, record));
  const counts = new StatusCounts();
  counts.add(rows);
  return { counts, numKept: kept.points.size, keptExit: exitOf(rows) };
}

function terminalOf({ environment, world }: StartContext): Terminal {
  return decideTerminal({
    isTTY: process.stderr.isTTY === true,
    underLauncher: world.launcher.size !== null,
    launchSawTerminal: environment.settings.launchTerminal === 1,
    noColor: (environment.variables['NO_COLOR'] ?? '') !== '',
    columns: process.stderr.columns,
  });
}

async function shareFolder(request: RunRequest, world: World): Promise<{ runId: string; folder: string }> {
  const runId = await world.broadcastJson(request.runId ?? makeRunId(), 0, startTimeoutMs());
  const claimed = await onAllRanks(world, 'making the run folder', async () =>
    world.info.rank === 0 ? await claimRunFolder(request.outFolder, runId) : join(request.outFolder, runId),
  );
  await onAllRanks(world, 'joining the run folder', async () =>
    world.info.rank === 0 ? claimed : await joinRunFolder(request.outFolder, runId),
  );
  return { runId, folder: resolve(claimed) };
}

interface RunOfManifest {
  readonly runId: string;
  readonly folder: string;
  readonly startedAt: string;
  readonly earlier: EarlierRun | undefined;
}

async function beginManifest(
  { world, request, environment }: StartContext,
  { spec, selection, versions, places, machine }: OutputRequest,
  { runId, folder, startedAt, earlier }: RunOfManifest,
): Promise<ManifestFile | undefined> {
  const { rank, worldSize, numNodes } = world.info;
  return await onAllRanks(world, 'writing the manifest', async () => {
    if (rank !== 0) return undefined;
    if (earlier) await withdrawManifest(folder);
    return await ManifestFile.begin(folder, {
      schemaVersion: SCHEMA_VERSION,
      runId,
      startedAt: earlier?.startedAt ?? startedAt,
      resumedAt: earlier ? [...earlier.resumedAt, startedAt] : [],
      shard: selection.shard ?? null,
      points: selection.points ? numberList(selection.points) : null,
      spec: {
        digest: spec.digest,
        path: request.specPath,
        resolved: parseJson(spec.canonicalText),
      },
      versions,
      topology: {
        worldSize,
        numNodes,
        ranksPerNode: spec.ranksPerNode,
        ranks: places.map(({ device: _device, host: _host, ...place }) => place),
      },
      devices: places.map((place) => place.device as JsonValue),
      machine,
      probes: [],
      environment: allowedEnvironment(environment.variables),
    });
  });
}
