/** All points in order: each through its stages, its rows written before the next begins. */
import type { JobKind } from '../job/kind.js';
import { AgreementLost, stageOf } from '../world/agreement.js';
import { EXIT, toRunnerError, worstExit, type ErrorCode } from '../errors.js';
import { buildPointResult, type PointOutcome, type RankPointResult } from '../results/row.js';
import { within } from '../within.js';
import type { Point } from '../job-spec/types.js';
import { exitOf, lostOutcome, notStarted, outcomeOf, stopFailure, type Loss } from './outcome.js';
import { runPoint, type PointResult } from './point.js';
import type { Run } from './run-state.js';
import { lastOf } from '../values/items.js';
import { decodeMessage, encodeMessage } from '../values/rank-message.js';

/** How the loop ended on this rank. */
export interface LoopEnd {
  readonly exitStatus: number;
  /** The ranks can no longer talk: nothing collective may follow. */
  readonly worldLost: boolean;
  /** A signal on any rank ended it: the launcher kills within a second. */
  readonly hurried: boolean;
  /** Why later points are `aborted`, where they are. */
  readonly early?: { readonly code: ErrorCode; readonly message: string };
}

const GATHER_TIMEOUT_MS = 60_000;

/** exitWithoutPeers has this rank's rows in hand and ends the process: it must meet no other rank in a further call. */
const neverAgain = (): Promise<never> => new Promise(() => undefined);

/** This rank leaves without the others, and abortRest has had the last word on the point. */
const isTakenOver = (run: Run, point: Point): boolean => run.ending || run.firstWithoutSummary > point.index;

export async function runPoints(run: Run): Promise<LoopEnd> {
  const statuses: number[] = [run.keptExit];
  let previous: Point | undefined;
  for (const [at, point] of run.pending.entries()) {
    // v8 ignore next -- lost ranks
    if (isTakenOver(run, point)) await neverAgain();
    run.observers.pointStarted(point);
    const startedAt = new Date();
    const release = releaseOf(run, previous, point);
    previous = point;
    let result: PointResult;
    try {
      result = await runPoint({
        ...run,
        point,
        kind: kindOf(run, point),
        release,
        progress: (running, text) => run.observers.pointAdvanced(running, text),
        stopStatus: () => run.stop.status,
      });
      statuses.push(await record(run, point, outcomeOf(result, run.stop.signal), run.pending[at + 1]));
    } catch (error) {
      return await endLostWorld(run, point, startedAt, error, statuses);
    }
    if (result.stop > 0) {
      run.stop.agreed(result.stop);
      await abortRest(run, notStarted('E_INTERRUPTED', stopFailure(run.stop.signal).error), {
        endsAt: run.stop.rowsEndAt,
      });
      const exitStatus = worstExit([...statuses, result.stop]);
      const early = { code: 'E_INTERRUPTED', message: 'a signal' } as const;
      return { exitStatus, worldLost: false, hurried: true, early };
    }
    if (result.fatal) {
      const { rank, code, message } = result.fatal;
      const why = `rank ${rank} cannot go on: ${message}`;
      await abortRest(run, notStarted(code, why, rank), {
        endsAt: performance.now() + LOST_WORLD_ROWS_MS,
      });
      const exitStatus = worstExit([...statuses, EXIT.fatal]);
      return { exitStatus, worldLost: false, hurried: false, early: { code, message: why } };
    }
  }
  return { exitStatus: worstExit(statuses), worldLost: false, hurried: false };
}

/** Rows of this rank, then the point's rows of all ranks to rank 0. Returns the exit status that they ask for. */
async function record(
  run: Run,
  point: Point,
  outcome: PointOutcome,
  next: Point | undefined,
): Promise<number> {
  if (isTakenOver(run, point)) await neverAgain();
  const result = buildPointResult(run.facts, point, outcome);
  void run.observers.rowsMade(result.rows);
  run.firstWithoutRow = point.index + 1;
  await run.observers.pointEnded({ point, measurements: outcome.measurements });
  const packed = encodeMessage(result);
  const gathered = await run.world.native.gather(packed, 0, GATHER_TIMEOUT_MS);
  if (isTakenOver(run, point)) await neverAgain();
  const perRank = (gathered ?? []).map((bytes, rank) => decodeMessage<RankPointResult>(bytes, rank));
  if (gathered) run.observers.pointReported(point, perRank, true);
  run.firstWithoutSummary = point.index + 1;
  if (next?.jobIndex !== point.jobIndex) run.observers.jobEnded();
  const all = gathered ? perRank.flatMap((rank) => rank.rows) : result.rows;
  return exitOf(all);
}

const LOST_WORLD_ROWS_MS = 1500;
const ABORTED_ROWS_CHUNK = 50;
const CHUNK_WITHIN_MS = 100;

export interface AbortLimits {
  /** On the clock of performance.now(). */
  readonly endsAt: number;
  /** Outcome of the first of the points, where that had begun. */
  readonly inFlight?: PointOutcome;
}

/**
 * Rows for every point that has none, without talking to anyone: a point never has two verdicts. Rank 0 fills the summary
 * too, also for a point whose rows it could not gather. Each chunk is in its file before the next is made, because the
 * launcher may kill at any moment; where the time ends first, the log says from which point on there are none. May be
 * called while an earlier call still runs: they share the points.
 */
export async function abortRest(
  run: Run,
  outcome: PointOutcome,
  { endsAt, inFlight }: AbortLimits,
): Promise<void> {
  let first = inFlight;
  let isHanging = false;
  while (!run.ending) {
    const from = run.firstWithoutSummary;
    const points = run.pending.filter((point) => point.index >= from).slice(0, ABORTED_ROWS_CHUNK);
    if (points.length === 0) return;
    if (performance.now() > endsAt) {
      run.log.warn({ firstWithoutRow: from }, 'no time for the rows of the points that never ran');
      return;
    }
    const rows = points.flatMap((point) => {
      const result = buildPointResult(run.facts, point, first ?? outcome);
      first = undefined;
      run.observers.pointReported(point, [result], false);
      return point.index >= run.firstWithoutRow ? result.rows : [];
    });
    const end = lastOf(points).index + 1;
    run.firstWithoutRow = Math.max(run.firstWithoutRow, end);
    run.firstWithoutSummary = Math.max(run.firstWithoutSummary, end);
    const written = run.observers.rowsMade(rows);
    // Where the file system hangs the rows are made all the same: their file's end saves them elsewhere.
    if (!isHanging) isHanging = !(await within(CHUNK_WITHIN_MS, written));
  }
}

/** Who is known to be dead explains whatever call failed first. */
function lossOf(run: Run, error: unknown): Loss {
  const failure = toRunnerError(error, 'E_WORLD_LOST');
  const deadRank = run.world.native.deadRank();
  const { hungRank = deadRank >= 0 ? deadRank : undefined, hungStage } =
    error instanceof AgreementLost ? error : {};
  // What ends a world by name keeps it: a deadline, say, that MPI did not come back from.
  const named = failure.exitStatus === EXIT.fatal ? failure.code : 'E_WORLD_LOST';
  const code = deadRank >= 0 ? 'E_PEER_DEAD' : named;
  return { code, why: failure.message, stage: hungStage ?? stageOf(run.world, deadRank), hungRank };
}

async function endLostWorld(
  run: Run,
  point: Point,
  startedAt: Date,
  error: unknown,
  statuses: number[],
): Promise<LoopEnd> {
  const loss = lossOf(run, error);
  run.log.error({ err: error, point: point.index }, loss.why);
  await abortRest(run, notStarted(loss.code, loss.why, loss.hungRank), {
    inFlight: lostOutcome(startedAt, loss),
    // Nobody ends this rank for the next two seconds: the others are in the same state.
    endsAt: run.stop.status === 0 ? performance.now() + LOST_WORLD_ROWS_MS : run.stop.rowsEndAt,
  });
  const stop = run.stop.status;
  return {
    exitStatus: worstExit([...statuses, EXIT.fatal, stop]),
    worldLost: true,
    hurried: stop > 0,
    early: { code: loss.code, message: loss.why },
  };
}

/**
 * Resources live on while consecutive points of a job use them, and over to the next job where its kind frees what it does
 * not use. Between other jobs all are given back, so that the memory of two points is never held at once: the check before
 * the run counted only the largest: by the first stage of the new job, which has a deadline and tells all ranks how it went.
 */
function releaseOf(run: Run, previous: Point | undefined, point: Point): (() => Promise<void>) | undefined {
  if (!previous || previous.jobIndex === point.jobIndex) return undefined;
  const { resourceGroup } = kindOf(run, point);
  const isShared = resourceGroup !== undefined && resourceGroup === kindOf(run, previous).resourceGroup;
  return isShared ? undefined : () => run.resources.closeAll();
}

function kindOf(run: Run, point: Point): JobKind {
  const kind = run.kinds.get(point.job.kind);
  if (!kind) throw new Error(`kind ${point.job.kind} passed validation but is not registered`);
  return kind;
}
