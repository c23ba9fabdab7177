/** What a modelled kind does in a stage before it answers: the steps of the plan, and the trouble that it meets in them. */
import type { PointContext } from '../../runner/job/context.js';
import type { Measurement } from '../../runner/job/measurement.js';
import { itemAt } from '../../runner/values/items.js';
import type { NativeWork } from './native-work.js';
import { isAgreed, troubleAt, type Plan, type PlannedStep, type Stage, type Trouble } from './plan.js';
import { nativeError, type RankWorld } from './rank-world.js';

/** A rank as its kinds see it. */
export interface RankUnderTest {
  readonly world: RankWorld;
  readonly work: NativeWork;
  /** What the kind measured and handed over, by point. */
  readonly measured: Map<number, readonly Measurement[]>;
}

export const PLANNED = 'planned';

async function pause(rank: RankUnderTest, ms: number): Promise<void> {
  await new Promise<void>((resolve) => rank.world.process.after(ms, resolve));
}

/** Throws, or does not come back, as planned. On the worker thread where `isNative`. */
export async function meet(
  { kind }: Trouble,
  rank: RankUnderTest,
  context: PointContext,
  isNative: boolean,
): Promise<void> {
  rank.world.process.trace(`meets its trouble: ${kind}`);
  const errors: Partial<Record<Trouble['kind'], Error>> = {
    fails: isNative ? nativeError('E_IO', PLANNED) : new Error(PLANNED),
    skips: nativeError('E_UNSUPPORTED_HERE', PLANNED),
    sticky: nativeError('E_CUDA_STICKY', PLANNED),
  };
  const error = errors[kind];
  if (error) throw error;
  if (kind === 'waits' || kind === 'sticks') await rank.work.stick();
  if (kind !== 'hangs') return;
  if (isNative) await rank.work.hang();
  await new Promise((_, reject) => {
    context.signal.addEventListener('abort', () => reject(new Error('ended by its deadline')));
  });
}

/** All are well: then rank 0 may send what it has, as jobs/replay does. */
async function agree(
  rank: RankUnderTest,
  context: PointContext,
  { kind }: PlannedStep,
  ms: number,
): Promise<void> {
  await context.onAllRanks('a planned step', async () => await pause(rank, ms));
  if (kind !== 'broadcast') return;
  const { world } = context;
  const sent = world.info.rank === 0 ? { ms } : undefined;
  const heard = await world.broadcastJson(sent, 0, context.meetingMs());
  if (typeof heard.ms !== 'number') throw new Error('a broadcast gave something else');
}

/** Whether the trouble strikes at a step of a stage; what concerns answers of the kind strikes elsewhere. */
const STRIKES_IN_STEPS: ReadonlySet<Trouble['kind']> = new Set([
  'fails',
  'skips',
  'sticky',
  'hangs',
  'sticks',
  'waits',
]);

function isHeld(kind: Trouble['kind'], isNative: boolean): boolean {
  return kind === 'sticks' || (isNative && kind !== 'waits');
}

/** The steps of a stage. Every rank takes them in the same order; agreements are the engine's own. */
export async function takeSteps(
  rank: RankUnderTest,
  context: PointContext,
  plan: Plan,
  stage: Stage,
): Promise<void> {
  const { world, work } = rank;
  const { index } = context.point;
  const trouble = troubleAt(plan, world.info.rank, index, stage);
  const steps = itemAt(plan.points, index).steps[stage];
  for (let at = 0; at <= steps.length; ++at) {
    const strikes = trouble?.step === at && STRIKES_IN_STEPS.has(trouble.kind);
    const step = steps[at];
    if (strikes && isAgreed(step)) {
      await context.onAllRanks('a planned step', async () => await meet(trouble, rank, context, false));
      continue;
    }
    // Behind the last step `measure` takes its samples, and meets it there.
    if (strikes && (step !== undefined || stage !== 'measure')) {
      const isNative = isHeld(trouble.kind, trouble.isNative);
      const meeting = async (): Promise<void> => await meet(trouble, rank, context, isNative);
      await (isNative ? world.worker.run(meeting) : meeting());
    }
    if (step === undefined) return;
    const ms = world.process.random.time(0, step.ms);
    if (step.kind === 'wait') await pause(rank, ms);
    else if (step.kind === 'work') await world.worker.run(async () => await work.busy(ms));
    else if (isAgreed(step)) await agree(rank, context, step, ms);
    else if (step.kind === 'question') await context.onAnyRank('a planned question', world.info.rank === 1);
    else if (step.kind === 'allgather' || step.kind === 'barrier') {
      const { kind } = step;
      await world.worker.run(async () => await work.exchange(kind));
    }
  }
}
