/**
 * The whole native surface, typed in this one place. Native code is small and dumb: it converts, checks types and
 * state, and does what is timed; every rule a user can meet lives in TypeScript. Promises settle off the main
 * thread's back: nothing here blocks it. Native failures reject with an Error whose `code` is in runner/errors.ts.
 *
 * Units are in the names. Every handle has an idempotent close(); using it afterwards rejects with E_STATE.
 */

import type {
  CommunicatorOptions,
  NativeCommunicator,
  NativeReplicated,
  NcclProbe,
  ReplicatedOptions,
} from './replicated-types.js';
import type { GpuReport } from './gpu-types.js';
import type { NativePool, NativeTransfer, PoolOptions, TransferOptions } from './kv-types.js';
import type { NativeMoe, NativeMoeOptions } from './moe-types.js';

export type * from './gpu-types.js';
export type * from './kv-types.js';
export type * from './replicated-types.js';
export type * from './moe-types.js';

export interface BuildInfo {
  readonly version: string;
  readonly compiler: string;
  readonly buildType: string;
  /** CUDA runtime the addon was built with, for example "13.0"; null without nvcc. */
  readonly cuda: string | null;
  readonly sanitizers: string;
}

// ---- world -------------------------------------------------------------------------------------------------------

export interface WorldOpenOptions {
  /** The plug-in's path: railrunner_mpi_openmpi.so or railrunner_mpi_mpich.so. */
  readonly pluginPath: string;
  /** Cuts a host's ranks into emulated nodes of this many; 0 = nodes are hosts. Rank 0's word holds for all. */
  readonly ranksPerNode: number;
  readonly timeoutMs: number;
  /** Silence after which a rank is held for dead. */
  readonly peerTimeoutMs: number;
}

export interface WorldInfo {
  readonly rank: number;
  readonly worldSize: number;
  /** Index of this rank's (possibly emulated) node, in order of the lowest rank of each. */
  readonly node: number;
  readonly numNodes: number;
  readonly localRank: number;
  readonly localSize: number;
  /** Index of the physical host (MPI_COMM_TYPE_SHARED), in order of the lowest rank of each, and place in it. */
  readonly host: number;
  readonly hostRank: number;
  readonly hostSize: number;
  /** node of every rank, by rank. */
  readonly nodeOfRank: readonly number[];
  readonly hostname: string;
  readonly mpiName: string;
  readonly mpiVersion: string;
}

/** What rank 0 knows of a rank from its heartbeats; on other ranks the list holds rank 0 and the rank itself. */
export interface RankLiveness {
  readonly rank: number;
  readonly stage: string;
  readonly point: number;
  /** Sample under way, -1 outside a measured loop. */
  readonly iteration: number;
  /** Rank that this one waits for, -1 where none is known. */
  readonly awaitedPeer: number;
  /** Age of the newest heartbeat. */
  readonly ageMs: number;
}

export interface NativeWorld {
  readonly info: WorldInfo;
  /** Every rank passes null except root. Resolves to the root's bytes on all ranks. */
  broadcast(data: Uint8Array | null, root: number, timeoutMs: number): Promise<Buffer>;
  /** Any length on each rank; resolves to one Buffer a rank, by rank. */
  allgather(data: Uint8Array, timeoutMs: number): Promise<Buffer[]>;
  /** As allgather; other ranks than root resolve to null. */
  gather(data: Uint8Array, root: number, timeoutMs: number): Promise<Buffer[] | null>;
  /** data[peer] goes to that peer; resolves to what came from each, by rank. */
  alltoall(data: readonly Uint8Array[], timeoutMs: number): Promise<Buffer[]>;
  barrier(timeoutMs: number): Promise<void>;
  /**
   * Collective: a new epoch for everything that native work threads exchange (sampling gate included), after a point
   * failed anywhere. No work may be running. What the failed point left under way is never heard again.
   */
  renew(timeoutMs: number): Promise<void>;
  /**
   * This rank comes to no further native exchange of this epoch: peers leave theirs, and all their native waits, at
   * once. No work may be running here.
   */
  failEpoch(): Promise<void>;
  /** Where this rank is, carried by its heartbeats. Returns at once. */
  report(stage: string, point: number): void;
  liveness(): RankLiveness[];
  /** The rank whose heartbeats stopped and so ended this world, -1 while there is none; known on every rank. */
  deadRank(): number;
  /** This rank's stop word for the sampling gate: 0 none, 1 signal, 2 failure. Seen by all ranks at the next sample. */
  setStop(reason: number): void;
  /** Ends (true) or allows again (false) this rank's native waits. false also clears iteration and awaited peer. */
  setAbort(abort: boolean): void;
  /** MPI_Finalize, on the control thread. */
  finalize(timeoutMs: number): Promise<void>;
  /** MPI_Abort with 1..255. Does not return where MPI can. */
  abort(status: number): void;
}

export interface SampleOptions {
  readonly warmup: number;
  readonly iterations: number;
  readonly freeRunning: boolean;
}

/** What a measured loop brings back; samples stay in the order they were taken. */
export interface SampleSet {
  readonly timesUs: Float64Array;
  /** Last minus first rank of the node through the gate, one a gated sample. */
  readonly entrySkewUs: Float64Array;
  /** True when a stop word ended the loop early. */
  readonly stopped: boolean;
}

/** Outcome of a comparison of memory with what must be there. */
export interface CheckResult {
  /** 8-byte words compared. */
  readonly checked: number;
  readonly wrong: number;
  /** Place of the first wrong word in words ("block 3 layer 0 outer 1 word 17: expected 0x.., found 0x.."); '' if none. */
  readonly firstBad: string;
}

// ---- device ------------------------------------------------------------------------------------------------------

export type DeviceKindName = 'host' | 'cuda';

export interface DeviceProperties {
  readonly kind: DeviceKindName;
  readonly ordinal: number;
  readonly name: string;
  readonly uuid: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly numaNode: number;
}

/** What this process could use, without opening it. `reason` says why there is no cuda device. */
export interface DeviceProbe {
  readonly cudaDevices: number;
  readonly cudaDriverVersion: string | null;
  readonly reason: string;
}

export interface NativeDevice {
  readonly properties: DeviceProperties;
  createPool(options: PoolOptions): Promise<NativePool>;
  /** Validates ids (E_BLOCK_IDS) before memory is touched, then compiles. */
  compileTransfer(options: TransferOptions): Promise<NativeTransfer>;
  /** Collective: every rank, with the same record. Rejects with E_NCCL, E_NCCL_MISSING, E_TIMEOUT. */
  openCommunicator(options: CommunicatorOptions): Promise<NativeCommunicator>;
  /** Collective, with agreement: either every rank gets its transfer or every rank's promise rejects. */
  openReplicated(world: NativeWorld, options: ReplicatedOptions): Promise<NativeReplicated>;
  close(): Promise<void>;
}

// ---- network -----------------------------------------------------------------------------------------------------

/** What this process could use for peers that share no memory with it, without connecting anything. */
export interface NetworkProbe {
  readonly available: boolean;
  /** Of the UCX library that loads; '' without one. */
  readonly version: string;
  /** As UCX names them, for example "tcp/eth0", "rc_mlx5/mlx5_0:1". */
  readonly transports: readonly string[];
  /** UCX can send from and into GPU memory. */
  readonly cudaMemory: boolean;
  /** Why there is none; '' where there is. */
  readonly reason: string;
}

export interface NativeAddon {
  buildInfo(): BuildInfo;
  /** True while the work thread is inside a native task: after an abort it is stuck, and the run cannot go on. */
  workLaneBusy(): boolean;
  /** Leaves the process at once, without exit hooks. */
  exitNow(status: number): never;
  /** Opens MPI through the plug-in and forms the world: collective. One a process. */
  openWorld(options: WorldOpenOptions): Promise<NativeWorld>;
  probeDevices(): DeviceProbe;
  /** Reads what the driver says of the GPUs, and sets nothing; null where the build has no cuda device. */
  describeGpus(): Promise<GpuReport | null>;
  probeNetwork(): Promise<NetworkProbe>;
  /** Loads NCCL; E_NCCL_MISSING says what was looked for and why it did not do. */
  probeNccl(libraries: readonly string[]): Promise<NcclProbe>;
  /** The record by which all ranks join one communicator, made by one of them. */
  createNcclRecord(libraries: readonly string[], worldSize: number): Promise<Buffer>;
  openDevice(kind: DeviceKindName, ordinal: number): Promise<NativeDevice>;
  /** One point of MoE dispatch and combine: collective, with agreement. */
  openMoe(world: NativeWorld, device: NativeDevice, options: NativeMoeOptions): Promise<NativeMoe>;
}
