/** The start of a run, in agreed steps: world, spec, versions, device, memory, run folder. No rank waits for one that failed. */
import { join, resolve } from 'node:path';
import { JOB_KINDS } from '../../jobs/index.js';
import { chooseDevice } from '../bootstrap/device.js';
import type { Environment } from '../bootstrap/environment.js';
import { compareVersions, ownVersions, type Versions } from '../bootstrap/versions.js';
import type { MpiWorld, World } from '../bootstrap/world.js';
import { loadOptions } from '../cli/spec-options.js';
import type { RunArguments } from '../cli/run-options.js';
import { isErrorCode, RunnerError, toRunnerError } from '../errors.js';
import type { LogFile } from '../log.js';
import { createLog } from '../log.js';
import { addon } from '../native/binding.js';
import { columnsForKinds } from '../results/columns.js';
import { allowedEnvironment } from '../results/environment.js';
import { ManifestFile, StatusCounts } from '../results/manifest.js';
import { RankCsv } from '../results/rank-csv.js';
import { claimRunFolder, joinRunFolder, makeRunId } from '../results/run-folder.js';
import { decideTerminal } from '../results/terminal.js';
import { SCHEMA_VERSION } from '../results/columns.js';
import { uniqueFaults } from '../spec/fault.js';
import { loadSpec } from '../spec/load.js';
import { parseResolvedSpec } from '../spec/resolved-text.js';
import { SpecError } from '../spec/spec-error.js';
import type { JsonValue, ResolvedSpec } from '../spec/types.js';
import { FaultPlan } from './faults.js';
import { refuseWhatCannotFit } from './memory.js';
import { RunReport } from './report.js';
import { ResourceCache } from './resources.js';
import type { Run } from './run-state.js';
import { StopRequest } from './signals.js';
import { START_TIMEOUT_MS, together } from './together.js';

const KINDS = new Map(JOB_KINDS.map((kind) => [kind.kind, kind]));

export interface StartSetting {
  readonly args: RunArguments;
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
  const { args, environment, world } = setting;
  const startedAt = new Date();
  const spec = await shareSpec(setting);
  const native = addon();
  const versions = ownVersions(world, native);
  await compareVersions(world, versions, START_TIMEOUT_MS);
  const log = createLog(setting.logFile, {
    rank: world.info.rank,
    node: world.info.node,
    host: world.info.hostname,
  });
  const device = await chooseDevice(world, native, {
    request: spec.device,
    allowSharedDevice: spec.allowSharedDevice,
    timeoutMs: START_TIMEOUT_MS,
  });
  await refuseWhatCannotFit(spec, KINDS, world, device.properties, START_TIMEOUT_MS);

  const columns = columnsForKinds(JOB_KINDS, new Set(spec.jobs.map((job) => job.common.kind)));
  const { runId, folder } = await shareFolder(args, world);
  const csv = await together(world, 'opening the row file', async () => {
    setting.logFile.open(folder, world.info.rank);
    return await RankCsv.open(folder, world.info.rank, columns);
  });
  const isRoot = world.info.rank === 0;
  const terminal = decideTerminal({
    isTTY: process.stderr.isTTY === true,
    underLauncher: world.launcher.size !== null,
    launchSawTerminal: environment.settings.launchTerminal === 1,
    noColor: (environment.variables['NO_COLOR'] ?? '') !== '',
    columns: process.stderr.columns,
  });
  const report = await together(world, 'opening the summary', async () =>
    isRoot ? await RunReport.open(folder, columns, spec.points.length, terminal) : undefined,
  );
  const manifest = await beginManifest(setting, world, spec, versions, device.properties, {
    runId,
    folder,
    startedAt,
  });
  log.info(
    { runId, digest: spec.digest, points: spec.points.length, device: device.properties.kind },
    'run starts',
  );
  const counts = new StatusCounts();
  return {
    spec,
    kinds: KINDS,
    world,
    device,
    addon: native,
    resources: new ResourceCache(),
    log,
    faults: new FaultPlan(environment.settings.fault ?? '', world.info.rank),
    stop: new StopRequest(setting.onStop, setting.leaveAlone),
    facts: {
      runId,
      specDigest: spec.digest,
      rank: world.info.rank,
      worldSize: world.info.worldSize,
      node: world.info.node,
      localRank: world.info.localRank,
      ranksPerNode: spec.ranksPerNode,
      hostname: world.info.hostname,
      device: device.properties,
      deviceShared: device.shared,
    },
    csv,
    report,
    manifest,
    folder,
    counts,
    current: undefined,
  };
}

export type OwnSpec = { readonly spec: ResolvedSpec } | { readonly failure: RunnerError };

/** Reads and resolves the spec; what is wrong with it is said once every rank can hear of it. */
export function readOwnSpec(args: RunArguments, environment: Environment): OwnSpec {
  try {
    return {
      spec: loadSpec(args.spec, { ...loadOptions(args, JOB_KINDS), environment: jobKeys(environment) }),
    };
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
async function shareSpec({ world, ownSpec, args }: StartSetting): Promise<ResolvedSpec> {
  type Shared = { readonly text: string } | { readonly code: string; readonly message: string };
  const failure = ownSpec && 'spec' in ownSpec ? worldFault(ownSpec.spec, args, world) : ownSpec?.failure;
  const own: Shared | undefined = failure
    ? { code: failure.code, message: failure.message }
    : ownSpec && 'spec' in ownSpec
      ? { text: ownSpec.spec.canonicalText }
      : undefined;
  const shared = await world.broadcastJson<Shared>(own, 0, START_TIMEOUT_MS);
  if (failure) throw failure;
  if ('text' in shared) return parseResolvedSpec(shared.text);
  throw new RunnerError(isErrorCode(shared.code) ? shared.code : 'E_SPEC_INVALID', shared.message);
}

/** Rules that need the number of ranks. */
function worldFault(spec: ResolvedSpec, args: RunArguments, world: World): RunnerError | undefined {
  const faults = spec.points.flatMap((point) =>
    (KINDS.get(point.job.kind)?.check(point, world.info.worldSize) ?? []).map((fault) => ({
      ...fault,
      pointer: `/jobs/${point.jobIndex}${fault.pointer}`,
    })),
  );
  return faults.length > 0 ? new SpecError('E_SPEC_INVALID', args.spec, uniqueFaults(faults)) : undefined;
}

async function shareFolder(args: RunArguments, world: World): Promise<{ runId: string; folder: string }> {
  const runId = await world.broadcastJson(args.runId ?? makeRunId(), 0, START_TIMEOUT_MS);
  const claimed = await together(world, 'making the run folder', async () =>
    world.info.rank === 0 ? await claimRunFolder(args.out, runId) : join(args.out, runId),
  );
  await together(world, 'joining the run folder', async () =>
    world.info.rank === 0 ? claimed : await joinRunFolder(args.out, runId),
  );
  return { runId, folder: resolve(claimed) };
}

async function beginManifest(
  setting: StartSetting,
  world: World,
  spec: ResolvedSpec,
  versions: Versions,
  device: unknown,
  run: { readonly runId: string; readonly folder: string; readonly startedAt: Date },
): Promise<ManifestFile | undefined> {
  const { node, localRank, hostname, rank, worldSize, numNodes } = world.info;
  const ranks = await world.allgatherJson({ rank, node, localRank, hostname, device }, START_TIMEOUT_MS);
  return await together(world, 'writing the manifest', async () => {
    if (rank !== 0) return undefined;
    return await ManifestFile.begin(run.folder, {
      schemaVersion: SCHEMA_VERSION,
      runId: run.runId,
      startedAt: run.startedAt.toISOString(),
      spec: {
        digest: spec.digest,
        path: setting.args.spec,
        resolved: JSON.parse(spec.canonicalText) as JsonValue,
      },
      versions: { ...versions },
      topology: {
        worldSize,
        numNodes,
        ranksPerNode: spec.ranksPerNode,
        ranks: ranks.map(({ device: _device, ...place }) => place),
      },
      devices: ranks.map((place) => place.device as JsonValue),
      probes: [],
      environment: allowedEnvironment(setting.environment.variables),
    });
  });
}
