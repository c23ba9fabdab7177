/** The start of a run, in agreed steps: world, spec, versions, device, memory, run folder. No rank waits for one that failed. */
import { join, resolve } from 'node:path';
import type { JobKind } from '../job/kind.js';
import { ncclLibrariesOf } from '../environment/nccl.js';
import { chooseDevice } from '../world/device.js';
import type { Environment } from '../environment/variables.js';
import { compareVersions, ownVersions, type Versions } from '../world/versions.js';
import type { MpiWorld, World } from '../world/world.js';
import { isErrorCode, RunnerError, toRunnerError } from '../errors.js';
import type { LogFile } from '../log.js';
import { createLog } from '../log.js';
import { addon } from '../native/binding.js';
import { columnsForKinds } from '../results/columns.js';
import { allowedEnvironment } from '../environment/recorded.js';
import { ManifestFile, StatusCounts } from '../results/manifest.js';
import { RankCsv } from '../results/rank-csv.js';
import { claimRunFolder, joinRunFolder, makeRunId } from '../results/run-folder.js';
import type { RunFacts } from '../results/row.js';
import { decideTerminal } from '../console/terminal.js';
import { SCHEMA_VERSION } from '../results/columns.js';
import type { MachineClass } from '../run-folder/machine-class.js';
import { gatherPlaces, machineOf, type Place } from './places.js';
import { loadSpec, type LoadOptions } from '../job-spec/load.js';
import type { FilePlaces } from '../job-spec/files.js';
import { parseResolvedSpec } from '../job-spec/resolved-text.js';
import { worldFaults } from '../job-spec/resolve-job.js';
import { SpecError } from '../job-spec/spec-error.js';
import type { JsonValue, ResolvedSpec } from '../job-spec/types.js';
import { FaultPlan } from './fault-injection.js';
import { refuseWhatCannotFit } from '../preflight/memory.js';
import { RunReport } from './report.js';
import { ResourceCache } from '../job/resources.js';
import type { Run } from './run-state.js';
import { StopRequest } from './signals.js';
import { START_TIMEOUT_MS, together } from '../world/on-all-ranks.js';

/** What the command line asks for. */
export interface RunRequest {
  readonly specPath: string;
  /** Folder that the run gets its own folder in. */
  readonly outFolder: string;
  readonly runId: string | undefined;
  readonly kinds: readonly JobKind[];
  readonly load: Omit<LoadOptions, 'kinds' | 'environment'>;
}

export interface StartSetting {
  readonly request: RunRequest;
  readonly environment: Environment;
  readonly world: MpiWorld;
  /** Rank 0: the spec, or why there is none; read before MPI was opened. Undefined on the other ranks. */
  readonly ownSpec: OwnSpec | undefined;
  readonly logFile: LogFile;
  readonly onStop: () => void;
  readonly leaveAlone: () => void;
}

/** Everything up to the first point. Throws the same error on all ranks. Collective. */
export async function startRun(setting: StartSetting): Promise<Run> {
  const { environment, world, request } = setting;
  const startedAt = new Date();
  const spec = await shareSpec(setting);
  const native = addon();
  const versions = ownVersions(world, native);
  await compareVersions(world, versions, START_TIMEOUT_MS);
  const device = await chooseDevice(world, native, {
    request: spec.device,
    allowSharedDevice: spec.allowSharedDevice,
    timeoutMs: START_TIMEOUT_MS,
  });
  const kinds = new Map(request.kinds.map((kind) => [kind.kind, kind]));
  await refuseWhatCannotFit(spec, kinds, world, device.properties, START_TIMEOUT_MS);
  const output = await openOutput(setting, spec);
  const { runId, folder } = output;
  const { properties } = device;
  const places = await gatherPlaces(world, properties);
  const machine = machineOf(places, world, spec.ranksPerNode);
  const manifest = await beginManifest(setting, spec, versions, places, machine, {
    runId,
    folder,
    startedAt,
  });
  output.log.info(
    { runId, digest: spec.digest, points: spec.points.length, device: properties.kind },
    'run starts',
  );
  return {
    ...output,
    spec,
    kinds,
    world,
    device,
    addon: native,
    resources: new ResourceCache(),
    ncclLibraries: ncclLibrariesOf(environment),
    faults: new FaultPlan(environment.settings.fault ?? '', world.info.rank),
    stop: new StopRequest(setting.onStop, setting.leaveAlone),
    facts: {
      ...placeFacts(world),
      runId,
      specDigest: spec.digest,
      ranksPerNode: spec.ranksPerNode,
      device: properties,
      series: machine,
      deviceShared: device.shared,
    },
    manifest,
    counts: new StatusCounts(),
    failures: [],
    ending: false,
    current: undefined,
  };
}

function placeFacts({
  info,
}: World): Pick<RunFacts, 'rank' | 'worldSize' | 'node' | 'localRank' | 'hostname'> {
  const { rank, worldSize, node, localRank, hostname } = info;
  return { rank, worldSize, node, localRank, hostname };
}

/** The run's folder and every file in it that is written while points run. */
async function openOutput(
  setting: StartSetting,
  spec: ResolvedSpec,
): Promise<Pick<Run, 'log' | 'csv' | 'report' | 'folder'> & { readonly runId: string }> {
  const { environment, request, world, logFile } = setting;
  const { rank, node, hostname } = world.info;
  const log = createLog(logFile, { pid: process.pid, rank, node, host: hostname });
  const columns = columnsForKinds(request.kinds, new Set(spec.jobs.map((job) => job.common.kind)));
  const { runId, folder } = await shareFolder(request, world);
  const csv = await together(world, 'opening the row file', async () => {
    logFile.open(folder, rank);
    return await RankCsv.open(folder, rank, columns);
  });
  const terminal = decideTerminal({
    isTTY: process.stderr.isTTY === true,
    underLauncher: world.launcher.size !== null,
    launchSawTerminal: environment.settings.launchTerminal === 1,
    noColor: (environment.variables['NO_COLOR'] ?? '') !== '',
    columns: process.stderr.columns,
  });
  const report = await together(world, 'opening the summary', async () =>
    rank === 0 ? await RunReport.open(folder, columns, spec.points.length, terminal) : undefined,
  );
  return { log, csv, report, folder, runId };
}

export type OwnSpec = { readonly spec: ResolvedSpec } | { readonly failure: RunnerError };

/** Reads and resolves the spec; what is wrong with it is said once every rank can hear of it. */
export function readOwnSpec(request: RunRequest, environment: Environment): OwnSpec {
  try {
    const { specPath, kinds, load } = request;
    return { spec: loadSpec(specPath, { ...load, kinds, environment: jobKeys(environment) }) };
  } catch (error) {
    return { failure: toRunnerError(error, 'E_SPEC_INVALID') };
  }
}

/** Keys of jobs that the environment may fix, under the spec's names. */
function jobKeys({ settings }: Environment): Record<string, number> {
  const { maxTransferBatchSize, maxConcurrentTransfers, ncclMaxCtas, epNumProxies } = settings;
  return {
    ...(maxTransferBatchSize === undefined ? {} : { maxTransferBatchSize }),
    ...(maxConcurrentTransfers === undefined ? {} : { maxConcurrentTransfers }),
    ...(ncclMaxCtas === undefined ? {} : { maxCtas: ncclMaxCtas }),
    ...(epNumProxies === undefined ? {} : { numProxies: epNumProxies }),
  };
}

/** Rank 0 checks the spec against the world; the others receive its canonical text, or learn that there is none. */
async function shareSpec({ world, ownSpec, request }: StartSetting): Promise<ResolvedSpec> {
  type Shared =
    | { readonly text: string; readonly files: FilePlaces }
    | { readonly code: string; readonly message: string };
  let own: Shared | undefined;
  let failure: RunnerError | undefined;
  if (ownSpec) {
    failure = 'spec' in ownSpec ? worldFault(ownSpec.spec, request, world) : ownSpec.failure;
    if (failure) own = { code: failure.code, message: failure.message };
    else if ('spec' in ownSpec) own = { text: ownSpec.spec.canonicalText, files: ownSpec.spec.files };
  }
  const shared = await world.broadcastJson<Shared>(own, 0, START_TIMEOUT_MS);
  if (failure) throw failure;
  if ('text' in shared) return parseResolvedSpec(shared.text, shared.files);
  throw new RunnerError(isErrorCode(shared.code) ? shared.code : 'E_SPEC_INVALID', shared.message);
}

/** Rules that need the number of ranks. */
function worldFault(spec: ResolvedSpec, request: RunRequest, world: World): RunnerError | undefined {
  const faults = worldFaults(spec.points, request.kinds, world.info.worldSize);
  return faults.length > 0 ? new SpecError('E_SPEC_INVALID', request.specPath, faults) : undefined;
}

async function shareFolder(request: RunRequest, world: World): Promise<{ runId: string; folder: string }> {
  const runId = await world.broadcastJson(request.runId ?? makeRunId(), 0, START_TIMEOUT_MS);
  const claimed = await together(world, 'making the run folder', async () =>
    world.info.rank === 0 ? await claimRunFolder(request.outFolder, runId) : join(request.outFolder, runId),
  );
  await together(world, 'joining the run folder', async () =>
    world.info.rank === 0 ? claimed : await joinRunFolder(request.outFolder, runId),
  );
  return { runId, folder: resolve(claimed) };
}

async function beginManifest(
  setting: StartSetting,
  spec: ResolvedSpec,
  versions: Versions,
  ranks: readonly Place[],
  machine: MachineClass,
  run: { readonly runId: string; readonly folder: string; readonly startedAt: Date },
): Promise<ManifestFile | undefined> {
  const { world } = setting;
  const { rank, worldSize, numNodes } = world.info;
  return await together(world, 'writing the manifest', async () => {
    if (rank !== 0) return undefined;
    return await ManifestFile.begin(run.folder, {
      schemaVersion: SCHEMA_VERSION,
      runId: run.runId,
      startedAt: run.startedAt.toISOString(),
      spec: {
        digest: spec.digest,
        path: setting.request.specPath,
        resolved: JSON.parse(spec.canonicalText) as JsonValue,
      },
      versions: { ...versions },
      topology: {
        worldSize,
        numNodes,
        ranksPerNode: spec.ranksPerNode,
        ranks: ranks.map(({ device: _device, host: _host, ...place }) => place),
      },
      devices: ranks.map((place) => place.device as JsonValue),
      machine,
      probes: [],
      environment: allowedEnvironment(setting.environment.variables),
    });
  });
}
