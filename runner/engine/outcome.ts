/** From how a point went to what its rows say, and to the exit status it asks for. */
import { EXIT, worstExit, type ErrorCode } from '../errors.js';
import type { PointFailure, PointOutcome, Row } from '../results/row.js';
import type { PointResult } from './point.js';
import { describeCulprits, type BadJudgement, type StageVerdict } from './verdict.js';
import { firstOf } from '../values/items.js';

/** What a finished point hands to the writer. */
export function outcomeOf(result: PointResult, signal: string): PointOutcome {
  const { measurements, verifications, startedAt } = result;
  const shared = { measurements, verifications, startedAt };
  if (result.stop > 0) return { ...shared, failure: stopFailure(signal) };
  if (!result.trouble) return shared;
  return { ...shared, failure: troubleFailure(result.trouble.judgement, result.trouble.own) };
}

/** For points that are never started because the run ended before them. */
export function notStarted(code: ErrorCode, why: string, hungRank?: number): PointOutcome {
  return {
    measurements: [],
    verifications: [],
    failure: {
      status: 'aborted',
      errorCode: code,
      error: `not started: ${why}`,
      ...(hungRank === undefined ? {} : { hungRank }),
    },
  };
}

/** How a world was lost. */
export interface Loss {
  readonly code: ErrorCode;
  readonly why: string;
  readonly stage: string;
  readonly hungRank?: number | undefined;
}

/** For the point in flight when the ranks lost each other. */
export function lostOutcome(startedAt: Date | undefined, { code, why, stage, hungRank }: Loss): PointOutcome {
  return {
    ...(startedAt ? { startedAt } : {}),
    measurements: [],
    verifications: [],
    failure: {
      status: 'aborted',
      errorCode: code,
      error: why,
      hungStage: stage,
      ...(hungRank === undefined ? {} : { hungRank }),
    },
  };
}

export function stopFailure(signal: string): PointFailure {
  const who = signal === '' ? 'a signal on another rank' : signal;
  return { status: 'aborted', errorCode: 'E_INTERRUPTED', error: `ended by ${who}` };
}

function troubleFailure(judgement: BadJudgement, own: StageVerdict): PointFailure {
  const { status } = judgement;
  const isItself = own.status !== 'ok' && own.status !== 'peer';
  return {
    status,
    errorCode: isItself ? own.code : peerCode(judgement),
    error: isItself ? own.message : describeCulprits(judgement),
    ...(status === 'timeout' ? { hungStage: judgement.stage } : {}),
    ...(judgement.hungRank === undefined ? {} : { hungRank: judgement.hungRank }),
  };
}

/** A skip or a time-out is the point's on every rank; a failure is the culprit's own. */
function peerCode({ status, culprits }: BadJudgement): ErrorCode {
  return status === 'failed' ? 'E_PEER_FAILED' : firstOf(culprits).code;
}

/** Exit status that a point's rows ask for. */
export function exitOf(rows: readonly Row[]): number {
  const statuses = rows.map((row) => {
    if (row['status'] === 'wrong' || row['status'] === 'failed') return EXIT.failed;
    if (row['status'] === 'timeout') return EXIT.timeout;
    return EXIT.ok;
  });
  return worstExit(statuses);
}
