/** A device and what is opened on it. */
import type { NativePool, NativeTransfer, PoolOptions, TransferOptions } from './kv.js';
import type {
  CommunicatorOptions,
  NativeCommunicator,
  NativeReplicated,
  ReplicatedOptions,
} from './replicated.js';
import type { NativeRankTransfer, RankTransferOptions } from './rank-transfer.js';
import type { NativeReplay, ReplayOptions } from './replay.js';
import type { NativeMoe, NativeMoeOptions } from './moe.js';
import type { NativeWorld } from './world.js';

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
  /** Validates ids (E_BLOCK_IDS) before memory is touched, then compiles. World null: only this rank. */
  openTransfer(world: NativeWorld | null, options: TransferOptions): Promise<NativeTransfer>;
  /** Collective: every rank, with the same record. Rejects with E_NCCL, E_NCCL_MISSING, E_TIMEOUT. */
  openCommunicator(options: CommunicatorOptions): Promise<NativeCommunicator>;
  /** Collective, with agreement: either every rank gets its transfer or every rank's promise rejects. */
  openReplicated(world: NativeWorld, options: ReplicatedOptions): Promise<NativeReplicated>;
  /** Collective, with agreement. Rejects with E_BLOCK_IDS, E_NETWORK, E_WRONG_DATA, E_UNSUPPORTED_HERE. */
  openRankTransfer(world: NativeWorld, options: RankTransferOptions): Promise<NativeRankTransfer>;
  /** Poisons the pools. Rejects with E_UNSUPPORTED_HERE for a strategy that this device lacks. */
  openReplay(world: NativeWorld, options: ReplayOptions): Promise<NativeReplay>;
  /** One point of MoE dispatch and combine. Collective, with agreement. */
  openMoe(world: NativeWorld, options: NativeMoeOptions): Promise<NativeMoe>;
  close(): Promise<void>;
}
