/** Where each rank runs and on what, gathered once at the start, and the machine class that follows from it. */
import { hostFacts, type HostFacts } from '../environment/machine.js';
import { distinctText, layoutText, mpiText, type MachineClass } from '../run-folder/machine-class.js';
import type { NativeAddon } from '../native/types/index.js';
import { buildCommit } from '../project.js';
import type { RecordedVersions } from '../results/manifest.js';
import type { Versions } from '../world/versions.js';
import { startTimeoutMs } from '../world/deadlines.js';
import type { World } from '../world/world.js';

export interface Place {
  readonly rank: number;
  readonly node: number;
  readonly localRank: number;
  readonly hostname: string;
  readonly device: { readonly kind: string; readonly name: string };
  readonly host: HostFacts;
}

/** By rank. Collective. */
export async function gatherPlaces(world: World, device: Place['device']): Promise<readonly Place[]> {
  const { node, localRank, hostname, rank } = world.info;
  const own: Place = { rank, node, localRank, hostname, device, host: hostFacts() };
  return await world.allgatherJson(own, startTimeoutMs());
}

/** Distinct values, sorted; null where no rank knows one. */
function known(values: readonly (string | null)[]): string | null {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : distinctText(present);
}

/** What the ranks were compared by, and what may differ between hosts. */
export function recordedVersions(
  compared: Versions,
  addon: NativeAddon,
  places: readonly Place[],
): RecordedVersions {
  return {
    ...compared,
    commit: buildCommit(),
    kernel: known(places.map(({ host }) => host.kernel)),
    driver: known(places.map(({ host }) => host.driverVersion)),
    cuda: addon.buildInfo().cuda,
    cudaDriver: addon.probeDevices().cudaDriverVersion,
    ucx: null,
    nccl: null,
  };
}

export function machineOf(places: readonly Place[], world: World, ranksPerNode: number): MachineClass {
  return {
    device: distinctText(places.map((place) => place.device.kind)),
    deviceName: distinctText(places.map((place) => place.device.name)),
    cpuModel: known(places.map((place) => place.host.cpuModel)),
    driverMajor: known(places.map((place) => place.host.driverVersion?.split('.')[0] ?? null)),
    nccl: null,
    mpi: mpiText(world.info.mpiVersion),
    layout: layoutText(
      places.map((place) => place.node),
      ranksPerNode,
    ),
  };
}
