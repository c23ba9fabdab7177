/** The native addon as a simulated rank gets it: as much of it as a run of modelled kinds asks for. */
import type { DeviceProperties, NativeAddon, NativeDevice } from '../../runner/native/types/index.js';
import type { Plan } from './plan.js';
import { nativeError, type RankWorld } from './rank-world.js';

const HOST_DEVICE: DeviceProperties = {
  kind: 'host',
  ordinal: 0,
  name: 'simulated',
  uuid: '',
  totalBytes: 2 ** 34,
  freeBytes: 2 ** 34,
  numaNode: 0,
};

export function simulatedAddon(world: RankWorld, plan: Plan): NativeAddon {
  const { process, worker, control } = world;
  const fails = plan.start?.rank === process.rank ? plan.start.kind : undefined;
  const answer = async <T>(value: T): Promise<T> => {
    await new Promise<void>((resolve) => process.after(process.random.time(0.01, 1), resolve));
    return value;
  };
  const device: Partial<NativeDevice> = { properties: HOST_DEVICE, close: async () => undefined };
  const addon: Partial<NativeAddon> = {
    buildInfo: () => ({
      version: fails === 'version' ? 'another' : 'simulated',
      compiler: '',
      buildType: 'Release',
      cuda: null,
      sanitizers: '',
    }),
    isWorkerBusy: () => worker.isBusy,
    heldUpBy: () => control.heldUpBy,
    exitNow: (status) => process.exitNow(status),
    probeDevices: () => ({ cudaDevices: 0, cudaDriverVersion: null, reason: 'simulated' }),
    lockByte: async () => {
      if (fails === 'lock') throw nativeError('E_IO', 'no space left for the lock');
      return await answer('held' as const);
    },
    openDevice: async () => {
      if (fails === 'device') throw nativeError('E_ALLOCATION', 'planned');
      return await answer(device as NativeDevice);
    },
  };
  // What a run asks for beyond this is missing, and says so by its name.
  return addon as NativeAddon;
}
