/** What the stages of one point share. */
import type { PointContext } from '../../runner/job/context.js';
import type { NativePool } from '../../runner/native/types/index.js';
import type { TransferPlan } from './moves.js';
import type { SideName } from './sides.js';
import type { TransferSpec } from './spec.generated.js';

export interface Point {
  readonly context: PointContext;
  readonly spec: TransferSpec;
  readonly plan: TransferPlan;
  /** By rank: 1 for peers over the network. */
  readonly overNetwork: Uint8Array;
  /** Null where this rank sends or receives nothing. */
  readonly pools: Readonly<Record<SideName, NativePool | null>>;
}
