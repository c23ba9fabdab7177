/** What the stages of a point share. */
import type { PointContext } from '../../runner/job/context.js';
import type { Peak } from '../../runner/job/measurement.js';
import type { NativePool, NativeReplay, Tier } from '../../runner/native/types/index.js';
import type { TraceTotals } from './decisions.js';
import type { HeldSlots } from './held-slots.js';
import type { Served } from './served.js';
import type { ReplaySpec } from './spec.generated.js';

/** Rank that reads the trace and decides. */
export const LEADER = 0;

export interface Opened {
  readonly context: PointContext;
  readonly spec: ReplaySpec;
  /** Where rank 0 reads the trace; others never do. */
  readonly tracePath: string;
  readonly totals: TraceTotals;
  readonly pools: ReadonlyMap<Tier, NativePool>;
  readonly replay: NativeReplay;
  readonly peaks: ReadonlyMap<string, Peak>;
  readonly held: HeldSlots;
  readonly served: Served;
  readonly setupUs: number;
}
