/** What dispatch and combine are to the stages of a point, whichever algorithm moves the rows. */
import type { Measured } from '../../runner/job/measurement.js';
import type { NativeMoe, NativeMoeFacts, Phase } from '../../runner/native/types/index.js';
import type { IssuedBytes } from './bytes/traffic.js';
import type { MoeColumn } from './columns.js';

export type Operation = 'dispatch' | 'combine';

export type Columns = NonNullable<Measured<MoeColumn>['extra']>;

/** Elements and scales that one call moves, as asked for and padded, and DeepEP's figure for them. */
export interface OperationBytes {
  readonly payload: number;
  readonly padded: number;
  readonly logical: number;
}

/** What one call on this rank moves, by the routing. */
export interface MovedRows {
  readonly selections: number;
  readonly messagesSent: number;
  readonly messagesForwarded: number;
  /** Rows of each local expert. */
  readonly expertRows: Uint32Array | readonly number[];
  readonly symmetricBytes: number;
}

/** An open point of one algorithm: the addon's side, and what its calls move, counted from nothing but the routing. */
export interface OpenAlgorithm {
  readonly native: NativeMoe;
  /** Time that opening the addon's side took. */
  readonly setupUs: number;
  readonly moved: MovedRows;
  readonly strategyRequested: string;
  strategyUsed(facts: NativeMoeFacts): string;
  /** What a call issues on this rank, by path. */
  issued(operation: Operation): IssuedBytes;
  /** Messages or rows to each rank, in proportion to which a probe deals out the bytes of each path. */
  unitsTo(operation: Operation): readonly number[];
  /** Memory that a call reads what it sends from. */
  sourceBytes(operation: Operation): number;
  bytes(operation: Operation): OperationBytes;
  /** Columns of this algorithm only. */
  columns(operation: Operation, phase: Phase, facts: NativeMoeFacts): Columns;
}
