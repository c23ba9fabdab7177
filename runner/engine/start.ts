/** The start of a run, in agreed steps: world, versions, spec, device, memory, run folder. No rank waits for one that failed. */
import { Neighbours } from '../world/neighbours.js';
import { ncclLibrariesOf } from '../environment/nccl.js';
import { chooseDevice } from '../world/device.js';
import type { Environment } from '../environment/variables.js';
import { compareVersions, ownVersions } from '../world/versions.js';
import type { World } from '../world/world.js';
import { knownCode, RunnerError, toRunnerError } from '../errors.js';
import type { RunFacts } from '../results/row.js';
import type { OwnSpec, RunRequest, StartContext } from './run-request.js';
import { observersOf } from './observers.js';
import { openOutput } from './output.js';
import { gatherPlaces, machineOf, recordedVersions } from './places.js';
import { readSelection, type Selection } from './selection.js';
import { loadSpec } from '../job-spec/load.js';
import type { FilePlaces } from '../job-spec/files.js';
import { parseResolvedSpec } from '../job-spec/resolved-text.js';
import { worldIssues } from '../job-spec/resolve-job.js';
import { SpecError } from '../job-spec/spec-error.js';
import type { ResolvedSpec } from '../job-spec/types.js';
import { FaultInjection } from './fault-injection.js';
import { checkCapacity, ownNeed } from '../preflight/memory.js';
import { ResourceCache } from '../job/resources.js';
import { kindsByName } from '../job-spec/spec-kind.js';
import type { Run } from './run-state.js';
import { UsedLibraries } from './used-libraries.js';
import { startTimeoutMs } from '../world/deadlines.js';
import { onAllRanks } from '../world/on-all-ranks.js';

/** Everything up to the first point. Throws the same error on all ranks. Collective. */
export async function startRun(context: StartContext): Promise<Run> {
  const { environment, world, request } = context;
  const native = context.begun.process.addon();
  const versions = ownVersions(world, native);
  await compareVersions(world, versions, startTimeoutMs());
  const { spec, selection } = await shareSpec(context);
  const faults = await onAllRanks(
    world,
    'reading RAILRUNNER_FAULT',
    () => new FaultInjection(environment.settings.fault ?? '', world.info.rank),
  );
  const device = await chooseDevice(world, native, {
    request: spec.device,
    allowSharedDevice: spec.allowSharedDevice,
    timeoutMs: startTimeoutMs(),
  });
  const kinds = kindsByName(request.kinds);
  const { properties } = device;
  const need = await onAllRanks(world, 'planning memory', () => ownNeed(spec, kinds, world.info, properties));
  await checkCapacity(world, need, properties.kind, startTimeoutMs());
  const places = await gatherPlaces(world, properties);
  const neighbours = await Neighbours.meet(world);
  context.begun.neighbours = neighbours;
  const machine = machineOf(places, world, spec.ranksPerNode);
  const recorded = recordedVersions(versions, native, places);
  const { runId, ...output } = await openOutput(context, {
    spec,
    selection,
    versions: recorded,
    places,
    machine,
  });
  neighbours.watch();
  output.log.info(
    { runId, digest: spec.digest, points: output.pending.length, device: properties.kind },
    'run starts',
  );
  const facts: RunFacts = {
    ...placeFacts(world),
    runId,
    specDigest: spec.digest,
    ranksPerNode: spec.ranksPerNode,
    device: properties,
    series: machine,
    deviceShared: device.shared,
  };
  const observed = { ...output, facts, libraries: new UsedLibraries(), failures: [] };
  return {
    ...observed,
    observers: observersOf(observed),
    spec,
    kinds,
    world,
    device,
    addon: native,
    resources: new ResourceCache(),
    threadsPerRank: environment.settings.threadsPerRank,
    ncclLibraries: ncclLibrariesOf(environment),
    faults,
    neighbours,
    stop: context.stop,
    ending: false,
    firstWithoutRow: 0,
    firstWithoutSummary: 0,
  };
}

function placeFacts({
  info,
}: World): Pick<RunFacts, 'rank' | 'worldSize' | 'node' | 'localRank' | 'hostname'> {
  const { rank, worldSize, node, localRank, hostname } = info;
  return { rank, worldSize, node, localRank, hostname };
}

/** Reads and resolves the spec; what is wrong with it is said once every rank can hear of it. */
export function readOwnSpec(request: RunRequest, environment: Environment): OwnSpec {
  try {
    const spec = loadSpec(request.specPath, request.load);
    return { spec, selection: readSelection(request.selection, environment.variables, spec.points.length) };
  } catch (error) {
    return { failure: toRunnerError(error, 'E_SPEC_INVALID') };
  }
}

/** Rank 0 checks the spec against the world; the others receive its canonical text, or learn that there is none. */
async function shareSpec({ world, ownSpec, request }: StartContext): Promise<{
  readonly spec: ResolvedSpec;
  readonly selection: Selection;
}> {
  const own = ownSpec && checkedInWorld(ownSpec, request, world);
  const shared = await world.broadcastJson<SharedSpec>(own && sharedOf(own), 0, startTimeoutMs());
  if (own && 'failure' in own) throw own.failure;
  if ('text' in shared)
    return { spec: parseResolvedSpec(shared.text, shared.files), selection: shared.selection };
  throw new RunnerError(knownCode(shared.code, 'E_SPEC_INVALID'), shared.message);
}

type SharedSpec =
  | { readonly text: string; readonly files: FilePlaces; readonly selection: Selection }
  | { readonly code: string; readonly message: string };

function sharedOf(own: OwnSpec): SharedSpec {
  if ('failure' in own) return { code: own.failure.code, message: own.failure.message };
  return { text: own.spec.canonicalText, files: own.spec.files, selection: own.selection };
}

/** With the rules that need the number of ranks. */
function checkedInWorld(own: OwnSpec, { specPath, kinds }: RunRequest, world: World): OwnSpec {
  if ('failure' in own) return own;
  const issues = worldIssues(own.spec.points, kinds, world.info.worldSize);
  return issues.length > 0 ? { failure: new SpecError('E_SPEC_INVALID', specPath, issues) } : own;
}
