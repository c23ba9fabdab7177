/** Which device this rank runs on, decided by all ranks together. */
import { RunnerError } from '../errors.js';
import type { DeviceKindName, DeviceProperties, NativeAddon, NativeDevice } from '../native/types/index.js';
import type { DeviceRequest } from '../job-spec/types.js';
import { onAllRanks } from './on-all-ranks.js';
import { firstOf, itemAt } from '../values/items.js';
import { rankList } from '../text/ranges.js';
import type { World } from './world.js';

export interface ChosenDevice {
  readonly properties: DeviceProperties;
  readonly native: NativeDevice;
  /** More than one rank on this GPU (allowSharedDevice): functional only, rows carry no times. */
  readonly shared: boolean;
  /** The ranks that share a GPU, of all ranks: a list for each such GPU. */
  readonly sharedBy: readonly (readonly number[])[];
}

export interface DeviceChoiceOptions {
  readonly request: DeviceRequest;
  readonly allowSharedDevice: boolean;
  readonly timeoutMs: number;
}

/** What each rank says of itself. */
export interface DeviceOffer {
  readonly cudaDevices: number;
  readonly reason: string;
}

/**
 * The kind for all ranks. auto: cuda where every rank has a GPU, host where none has; anything between is
 * E_DEVICE_MIXED naming the ranks. cuda without a GPU anywhere: E_DEVICE_MISSING.
 */
export function decideKind(request: DeviceRequest, offers: readonly DeviceOffer[]): DeviceKindName {
  if (request === 'host') return 'host';
  const without = offers.flatMap(({ cudaDevices }, rank) => (cudaDevices > 0 ? [] : [rank]));
  if (without.length === 0) return 'cuda';
  const first = firstOf(without);
  const { reason } = itemAt(offers, first);
  if (without.length < offers.length) {
    const having = offers.flatMap(({ cudaDevices }, rank) => (cudaDevices > 0 ? [rank] : []));
    throw new RunnerError(
      'E_DEVICE_MIXED',
      `device "${request}": expected a GPU on all ranks or on none, received one on ${rankList(having)} and none on ` +
        `${rankList(without)} (rank ${first}: ${reason}). Start it on equal machines, or use --device host.`,
    );
  }
  if (request === 'auto') return 'host';
  throw new RunnerError(
    'E_DEVICE_MISSING',
    `device "cuda": no rank has a GPU (rank ${first}: ${reason}). Use --device host or auto.`,
  );
}

/** Ranks that were given one GPU, by its uuid; uuids differ between hosts by themselves. */
export function sharedGroups(uuids: readonly string[]): number[][] {
  const ranksOf = new Map<string, number[]>();
  uuids.forEach((uuid, rank) => ranksOf.set(uuid, [...(ranksOf.get(uuid) ?? []), rank]));
  return [...ranksOf.values()].filter((ranks) => ranks.length > 1);
}

/**
 * Collective. Each rank takes the GPU of its place on the host; where the launcher shows each rank only one GPU, that
 * one. Throws the same kind of error on every rank.
 */
export async function chooseDevice(
  world: World,
  addon: NativeAddon,
  options: DeviceChoiceOptions,
): Promise<ChosenDevice> {
  const { timeoutMs } = options;
  const probe = addon.probeDevices();
  const offers = await world.allgatherJson<DeviceOffer>(
    { cudaDevices: probe.cudaDevices, reason: probe.reason },
    timeoutMs,
  );
  const kind = decideKind(options.request, offers);
  // v8 ignore next -- GPUs
  const ordinal = kind === 'cuda' ? world.info.hostRank % probe.cudaDevices : 0;
  let opened: NativeDevice | undefined;
  const open = async (): Promise<NativeDevice> => (opened = await addon.openDevice(kind, ordinal));
  let native: NativeDevice;
  try {
    native = await onAllRanks(world, 'opening the device', open, { timeoutMs, stage: 'device', point: -1 });
  } catch (error) {
    await opened?.close();
    throw error;
  }
  const { properties } = native;
  /* v8 ignore start -- GPUs */
  if (kind === 'host') return { properties, native, shared: false, sharedBy: [] };
  const uuids = await world.allgatherJson(properties.uuid, timeoutMs);
  const groups = sharedGroups(uuids);
  if (groups.length > 0 && !options.allowSharedDevice) {
    await native.close();
    throw new RunnerError(
      'E_DEVICE_SHARED',
      `${groups.map((ranks) => rankList(ranks)).join(' and ')} were given one GPU. Start at most one rank per GPU, or ` +
        `set "allowSharedDevice": true (functional only: rows then carry no times).`,
    );
  }
  const shared = groups.some((ranks) => ranks.includes(world.info.rank));
  return { properties, native, shared, sharedBy: groups };
  /* v8 ignore stop */
}
