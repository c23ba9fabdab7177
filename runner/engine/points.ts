/** All points in order: each through its stages, its rows written before the next begins. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobKind } from '../job/kind.js';
import { AgreementLost, stageOf } from '../world/agreement.js';
import { EXIT, toRunnerError, worstExit, type ErrorCode } from '../errors.js';
import { reportErrorOfRank } from '../error-line.js';
import { buildPointResult, type PointOutcome, type RankPointResult } from '../results/row.js';
import { writeSamples } from '../results/samples-file.js';
import type { Point } from '../job-spec/types.js';
import {
  exitOf,
  fatalExit,
  lostOutcome,
  neverStarted,
  outcomeOf,
  stopFailure,
  type Loss,
} from './outcome.js';
import { runPoint, type PointResult } from './point.js';
import type { Run } from './run-state.js';

/** How the loop ended on this rank. */
export interface LoopEnd {
  readonly exitStatus: number;
  /** The ranks can no longer talk: nothing collective may follow. */
  readonly worldLost: boolean;
  /** A signal on any rank ended it: the launcher kills within a second. */
  readonly hurried: boolean;
  /** Why later points are `aborted`, where they are. */
  readonly why?: string;
  /** Code of that, for the manifest. */
  readonly code?: ErrorCode;
}

const GATHER_TIMEOUT_MS = 60_000;
/** A disk that hangs must not hold the run: the rows wait in memory and are tried again. */
const WRITE_TIMEOUT_MS = 2000;

export async function runPoints(run: Run): Promise<LoopEnd> {
  const statuses: number[] = [run.keptExit];
  let previous: Point | undefined;
  for (const [at, point] of run.pending.entries()) {
    if (run.ending) break;
    run.report?.begin(point);
    await giveBackStale(run, previous, point);
    previous = point;
    const startedAt = new Date();
    let result: PointResult;
    try {
      result = await runPoint({ ...run, point, kind: kindOf(run, point), stopStatus: () => run.stop.status });
      statuses.push(await record(run, point, outcomeOf(result, run.stop.signal), run.pending[at + 1]));
    } catch (error) {
      return await lost(run, point, startedAt, error, statuses);
    }
    if (result.stop > 0) {
      run.stop.agreed();
      abortRest(run, neverStarted('E_INTERRUPTED', stopFailure(run.stop.signal).error));
      const exitStatus = worstExit([...statuses, result.stop]);
      return { exitStatus, worldLost: false, hurried: true, why: 'a signal', code: 'E_INTERRUPTED' };
    }
    if (result.fatal) {
      const culprit = result.trouble?.judgement.culprits[0];
      const code = culprit?.code ?? 'E_WORLD_LOST';
      const why = `rank ${culprit?.rank ?? -1} cannot go on: ${culprit?.message ?? code}`;
      abortRest(run, neverStarted(code, why, culprit?.rank));
      const exitStatus = worstExit([...statuses, fatalExit(code)]);
      return { exitStatus, worldLost: false, hurried: false, why, code };
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
  if (run.ending) return EXIT.ok;
  const result = buildPointResult(run.facts, point, outcome);
  const written = run.csv.append(result.rows);
  run.counts.add(result.rows);
  run.libraries.noteRows(result.rows);
  run.firstWithoutRow = point.index + 1;
  if (point.job.saveSamples && outcome.measurements.length > 0) {
    const place = { point: point.index, rank: run.facts.rank };
    await writeSamples(run.folder, place, outcome.measurements).catch((error: unknown) => {
      run.failures.push(toRunnerError(error, 'E_OUTPUT'));
    });
  }
  // A summary row stands for rows that are in every rank's file: resuming relies on it.
  await Promise.race([written, sleep(WRITE_TIMEOUT_MS, undefined, { ref: false })]);
  warnOfUnwritten(run);
  const packed = Buffer.from(JSON.stringify(result));
  const gathered = await run.world.native.gather(packed, 0, GATHER_TIMEOUT_MS);
  const perRank = (gathered ?? []).map((bytes) => JSON.parse(bytes.toString()) as RankPointResult);
  run.report?.add(point, perRank);
  run.firstWithoutSummary = point.index + 1;
  if (next?.jobIndex !== point.jobIndex) {
    run.csv.endJob();
    run.report?.endJob();
  }
  const all = gathered ? perRank.flatMap((rank) => rank.rows) : result.rows;
  return exitOf(all);
}

/** While the run lasts there is time to free the disk: said once, on every rank that it happens to. */
function warnOfUnwritten(run: Run): void {
  const { failure } = run.csv;
  if (!failure || run.saidUnwritten) return;
  run.saidUnwritten = true;
  run.log.warn({ err: failure }, failure.message);
  reportErrorOfRank(run.facts.rank, failure);
}

/** How long rows of points that never ran may take to write: after a signal the launcher kills within a second. */
const ABORTED_ROWS_BUDGET_MS = 150;
const LOST_WORLD_ROWS_BUDGET_MS = 1000;
const ABORTED_ROWS_CHUNK = 50;

/**
 * Rows for every point that has none, without talking to anyone: a point never has two verdicts. Rank 0 fills the summary
 * too, also for a point whose rows it could not gather. Where the budget ends before the points do, the log says from
 * which point on there are none. `inFlight` is the outcome of the first of them, where that had begun.
 */
export function abortRest(
  run: Run,
  outcome: PointOutcome,
  {
    inFlight,
    budgetMs = ABORTED_ROWS_BUDGET_MS,
  }: { readonly inFlight?: PointOutcome; readonly budgetMs?: number } = {},
): void {
  if (run.ending) return;
  const first = Math.min(run.firstWithoutRow, run.firstWithoutSummary);
  const points = run.pending.filter((point) => point.index >= first);
  const endsAt = performance.now() + budgetMs;
  for (let at = 0; at < points.length; at += ABORTED_ROWS_CHUNK) {
    if (performance.now() > endsAt) {
      run.log.warn(
        { firstWithoutRow: points[at]?.index },
        'no time for the rows of the points that never ran',
      );
      return;
    }
    const rows = points.slice(at, at + ABORTED_ROWS_CHUNK).flatMap((point, offset) => {
      const own = at + offset === 0 && inFlight ? inFlight : outcome;
      const result = buildPointResult(run.facts, point, own);
      if (point.index >= run.firstWithoutSummary) run.report?.addUnheard(point, result);
      return point.index >= run.firstWithoutRow ? result.rows : [];
    });
    run.counts.add(rows);
    void run.csv.append(rows);
  }
}

/** Who is known to be dead explains whatever call failed first. */
function lossOf(run: Run, error: unknown): Loss {
  const failure = toRunnerError(error, 'E_WORLD_LOST');
  const deadRank = run.world.native.deadRank();
  const { hungRank = deadRank >= 0 ? deadRank : undefined, hungStage } =
    error instanceof AgreementLost ? error : {};
  const code = deadRank >= 0 ? 'E_PEER_DEAD' : 'E_WORLD_LOST';
  return { code, why: failure.message, stage: hungStage ?? stageOf(run.world, deadRank), hungRank };
}

async function lost(
  run: Run,
  point: Point,
  startedAt: Date,
  error: unknown,
  statuses: number[],
): Promise<LoopEnd> {
  const loss = lossOf(run, error);
  run.log.error({ err: error, point: point.index }, loss.why);
  abortRest(run, neverStarted(loss.code, loss.why, loss.hungRank), {
    inFlight: lostOutcome(startedAt, loss),
    // Nobody ends this rank for the next two seconds: the others are in the same state.
    ...(run.stop.status === 0 ? { budgetMs: LOST_WORLD_ROWS_BUDGET_MS } : {}),
  });
  const stop = run.stop.status;
  return {
    exitStatus: worstExit([...statuses, EXIT.fatal, stop]),
    worldLost: true,
    hurried: stop > 0,
    why: loss.why,
    code: loss.code,
  };
}

/**
 * Resources live on while consecutive points of a job use them. At the end of a job all are given back, so that the
 * memory of two jobs is never held at once: the check before the run counted the largest point alone.
 */
async function giveBackStale(run: Run, previous: Point | undefined, point: Point): Promise<void> {
  if (previous && previous.jobIndex !== point.jobIndex) await run.resources.closeAll();
}

function kindOf(run: Run, point: Point): JobKind {
  const kind = run.kinds.get(point.job.kind);
  if (!kind) throw new Error(`kind ${point.job.kind} passed validation but is not registered`);
  return kind;
}
