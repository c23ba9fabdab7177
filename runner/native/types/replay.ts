/** The replay part of the native surface: what a cache decided, done window by window on the pools of a rank. */
import type { NativeCommunicator, ReplicatedStrategy } from './replicated.js';
import type { NativeLayout, NativePool, Tier, TransferOptions } from './kv.js';
import type { InjectedFault, PathBytes } from './operation.js';
import type { CheckResult } from './samples.js';

export type ReplayPacing = 'asFastAsPossible' | 'recorded' | 'sessions';

/** Of a tier that one rank holds and others load from. */
export interface SharedTier {
  readonly layout: NativeLayout;
  readonly sectionBlocks: readonly number[];
}

/** Replicated mode: the same on all ranks. */
export interface SharedLoadOptions {
  readonly strategy: ReplicatedStrategy;
  readonly root: number;
  readonly device: SharedTier;
  readonly host: SharedTier;
  readonly disk: SharedTier;
  /** Null on the host device. */
  readonly communicator: NativeCommunicator | null;
}

export interface ReplayOptions {
  /** Null where this rank has no such tier. */
  readonly pools: Readonly<Record<'device', NativePool>> &
    Readonly<Record<'host' | 'disk', NativePool | null>>;
  /** Blocks of the pools that hold one prefix block. */
  readonly blocksPerSlot: number;
  /** Slots of device, host and disk, of this rank or of the one that has them. */
  readonly slots: readonly number[];
  readonly seed: number;
  /** Whose data the blocks hold: the rank, or 0 where all ranks hold the same. */
  readonly owner: number;
  readonly pacing: ReplayPacing;
  /** How much of each hit is compared. */
  readonly check: 'full' | 'sample' | 'off';
  readonly copies: Omit<TransferOptions, 'lanes' | 'faults'>;
  /** Null: every rank has tiers of its own. */
  readonly shared: SharedLoadOptions | null;
  /** At the first load of a request or of a later one: failLoad, dieInGroup. */
  readonly faults: readonly InjectedFault[];
}

/** Requests that follow each other, decided. */
export interface MoveWindow {
  readonly firstRequest: number;
  /** By the clock of the replay. */
  readonly dueUs: Float64Array;
  /** From the end of the session's request before; below 0: nobody says. */
  readonly delayUs: Float64Array;
  /** That request; -1: none. */
  readonly previous: Int32Array;
  /** Seven for each request: hits, host->disk, device->host, device->disk, host->device, disk->device, fills. */
  readonly counts: Int32Array;
  /** Slots of the tiers. */
  readonly source: Int32Array;
  readonly target: Int32Array;
  /** Two words for each move, the low one first: what names the block, wherever it lies. */
  readonly content: Uint32Array;
}

export interface DirectionTotals {
  /** "device->host". */
  readonly direction: string;
  readonly slots: number;
  readonly busyUs: number;
  readonly bytes: PathBytes;
}

/** Of the requests that were served. */
export interface WindowResult {
  /** By request, by the clock of the replay. */
  readonly dueUs: Float64Array;
  readonly beginUs: Float64Array;
  readonly loadedUs: Float64Array;
  readonly endUs: Float64Array;
  /** Until the slots of its loads were free. */
  readonly stallUs: Float64Array;
  readonly directions: readonly DirectionTotals[];
  readonly hits: number;
  readonly fills: number;
  /** Loads that failed and were computed instead. */
  readonly failedLoads: number;
  /** Slots whose copies failed and that hold nothing to rely on. */
  readonly failedSlots: readonly { readonly tier: Tier; readonly slot: number }[];
  readonly firstFailure: string;
  readonly check: CheckResult;
  /** -1: no word was wrong. */
  readonly firstBadRequest: number;
  readonly firstBadSlot: number;
  /** Outside the clock. */
  readonly fillUs: number;
  readonly checkUs: number;
  readonly setUpUs: number;
  /** A stop flag ended the window early, on all ranks behind the same request. */
  readonly stopped: boolean;
}

/** What the slots of a tier must hold; all others hold poison. */
export interface TierContent {
  readonly tier: Tier;
  readonly slots: Int32Array;
  readonly content: Uint32Array;
}

export interface NativeReplay {
  /** Collective: windows in the order of their requests. */
  run(window: MoveWindow): Promise<WindowResult>;
  /** Compares the whole pool of a tier of this rank; a tier that it has not holds nothing. */
  check(content: TierContent): Promise<CheckResult>;
  facts(): Promise<{
    readonly strategyUsed: string;
    readonly diskIo: string;
    readonly networkTransport: string;
  }>;
  /** Together: collective. Otherwise, after a failure, alone. Idempotent. */
  close(together: boolean, timeoutMs: number): Promise<void>;
}
