/**
 * The whole native surface, typed in this one place. Native code is small and dumb: it converts, checks types and
 * state, and does what is timed; every rule a user can meet lives in TypeScript. No call blocks the main
 * thread; work completes on other threads. Native failures reject with an Error whose `code` is in runner/errors.ts.
 *
 * Units are in the names. Every handle has an idempotent close(); using it afterwards rejects with E_STATE.
 */
import type { DeviceKindName, DeviceProbe, NativeDevice } from './device.js';
import type { GpuReport } from './gpus.js';
import type { NetworkProbe } from './network.js';
import type { NcclProbe } from './replicated.js';
import type { ByteLock, StorageProbe } from './storage.js';
import type { NativeWorld, WorldOpenOptions } from './world.js';

export type * from './device.js';
export type * from './gpus.js';
export type * from './kv.js';
export type * from './moe.js';
export type * from './network.js';
export type * from './operation.js';
export type * from './rank-transfer.js';
export type * from './replay.js';
export type * from './replicated.js';
export type * from './samples.js';
export type * from './storage.js';
export type * from './world.js';

export interface BuildInfo {
  readonly version: string;
  readonly compiler: string;
  readonly buildType: string;
  /** CUDA runtime the addon was built with, for example "13.0"; null without nvcc. */
  readonly cuda: string | null;
  /** As the compiler was told, for example "thread"; '' without any. */
  readonly sanitizers: string;
}

export interface NativeAddon {
  buildInfo(): BuildInfo;
  /** True while the worker thread is inside a native task: after an abort it is stuck, and the run cannot go on. */
  isWorkerBusy(): boolean;
  /** What the worker thread waits for although it was told to stop, as copy threads that do not end; null: nothing. */
  heldUpBy(): string | null;
  /** Leaves the process at once, without exit hooks. */
  exitNow(status: number): never;
  /** What native/binding registers: a line for each method, argument, key and result. Only test/rules asks. */
  surface(): readonly string[];
  /** Opens MPI through the plug-in and forms the world: collective. One per process. */
  openWorld(options: WorldOpenOptions): Promise<NativeWorld>;
  probeDevices(): DeviceProbe;
  /** Reads what the driver says of the GPUs, and sets nothing; null where the build has no cuda device. */
  describeGpus(): Promise<GpuReport | null>;
  /** What errors of the network say is set in the environment; '' where nothing is. Before anything of the network. */
  setUcxVariables(named: string): void;
  probeNetwork(): Promise<NetworkProbe>;
  /** Opens a disk tier's file and queue in a folder, and says how they would be driven. E_IO where it cannot. */
  probeStorage(folder: string, queueDepth: number): Promise<StorageProbe>;
  /** Locks a byte of a file until this process ends, however it ends. E_IO where the file cannot be opened. */
  lockByte(path: string, offset: number): Promise<ByteLock>;
  /** Loads NCCL; E_NCCL_MISSING says what was looked for and why it did not do. */
  probeNccl(libraries: readonly string[]): Promise<NcclProbe>;
  /** The record by which all ranks join one communicator, made by one of them. */
  createNcclRecord(libraries: readonly string[], worldSize: number): Promise<Buffer>;
  openDevice(kind: DeviceKindName, ordinal: number): Promise<NativeDevice>;
}
