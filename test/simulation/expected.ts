/** What docs/errors.md and the design say must come of a planned trouble, where nothing else happens. */
import { EXIT, worstExit, type ErrorCode } from '../../runner/errors.js';
import { itemAt } from '../../runner/values/items.js';
import { isAgreed, type Plan, type Trouble, type TroubleKind } from './plan.js';

export interface ExpectedPoint {
  /** Of every rank's rows, where the point did not go well. */
  readonly status: 'failed' | 'skipped' | 'timeout' | 'aborted';
  /** On the rank in trouble, and on the others. */
  readonly own: ErrorCode;
  readonly others: ErrorCode;
  readonly namesHungRank: boolean;
  /** Later points are aborted. */
  readonly isFatal: boolean;
  readonly exit: number;
}

const failure = (own: ErrorCode, exit: number = EXIT.failed): ExpectedPoint => ({
  status: 'failed',
  own,
  others: 'E_PEER_FAILED',
  namesHungRank: false,
  isFatal: exit === EXIT.fatal,
  exit,
});

const timeout = (code: ErrorCode): ExpectedPoint => ({
  status: 'timeout',
  own: code,
  others: code,
  namesHungRank: true,
  isFatal: code === 'E_STUCK',
  exit: EXIT.timeout,
});

/** How the point of the trouble ends; undefined: well, as far as stages go. */
/** The point whose rows tell of the trouble: what a job kept is freed by the first point of the next job. */
export function troubledPoint({ trouble, points }: Plan): number | undefined {
  if (!trouble?.kind.startsWith('close')) return trouble?.point;
  const { job } = itemAt(points, trouble.point);
  const next = points.findIndex((point) => point.job > job);
  return next < 0 ? undefined : next;
}

export function expectedPoint(plan: Plan): ExpectedPoint | undefined {
  const { trouble } = plan;
  if (!trouble) return undefined;
  if (trouble.kind === 'closeFails') return troubledPoint(plan) === undefined ? undefined : failure('E_IO');
  const skip: ExpectedPoint = {
    ...failure('E_UNSUPPORTED_HERE', EXIT.ok),
    status: 'skipped',
    others: 'E_UNSUPPORTED_HERE',
  };
  const ends: Partial<Record<TroubleKind, ExpectedPoint>> = {
    fails: failure(isNative(plan, trouble) ? 'E_IO' : 'E_JOB'),
    skips: skip,
    sticky: failure('E_CUDA_STICKY', EXIT.fatal),
    hangs: timeout('E_TIMEOUT'),
    waits: timeout(isInSamples(plan, trouble) ? 'E_STUCK' : 'E_TIMEOUT'),
    sticks: timeout(isInAgreement(plan, trouble) ? 'E_TIMEOUT' : 'E_STUCK'),
    closeHangs: timeout('E_STUCK'),
    ...(measures(plan, trouble) ? { column: failure('E_STATE'), unverified: failure('E_STATE') } : {}),
  };
  return ends[trouble.kind];
}

/** Where kind.ts meets it: in samples always on the worker thread, in an agreement never. */
function isNative(plan: Plan, trouble: Trouble): boolean {
  return isInSamples(plan, trouble) || (trouble.isNative && !isInAgreement(plan, trouble));
}

function isInSamples(plan: Plan, { point, stage, step }: Trouble): boolean {
  return stage === 'measure' && step === itemAt(plan.points, point).steps.measure.length;
}

function isInAgreement(plan: Plan, { point, stage, step }: Trouble): boolean {
  return isAgreed(itemAt(plan.points, point).steps[stage][step]);
}

function measures(plan: Plan, { point, rank }: Trouble): boolean {
  return itemAt(plan.points, point).roles.some((roles) => roles[rank] === 'measured');
}

/** Exit status of a run with only this trouble. */
export function expectedExit(plan: Plan): number {
  const { trouble } = plan;
  const point = expectedPoint(plan);
  if (!trouble) return EXIT.ok;
  const others: Partial<Record<TroubleKind, number>> = {
    wrong: measures(plan, trouble) ? EXIT.failed : EXIT.ok,
    nothing: EXIT.failed,
    closeFails: EXIT.failed,
  };
  return worstExit([
    point?.exit ?? others[trouble.kind] ?? EXIT.ok,
    point?.isFatal === true ? EXIT.fatal : EXIT.ok,
  ]);
}
