/** What a rank says at a stage boundary, and what all ranks conclude from it. */
import { ERROR_CATALOGUE, EXIT, type ErrorCode } from '../errors.js';
import { firstOf } from '../values/items.js';

interface Said {
  readonly rank: number;
  readonly point: number;
  /** "<stage>" at its end, "<stage>: <step>" inside it. */
  readonly step: string;
  /** Exit status of a signal that this rank received, 0 for none. */
  readonly stop: number;
  /** What the kind tells the other ranks; empty at the end of a stage. */
  readonly word: string;
}

interface Well extends Said {
  readonly status: 'ok';
}

interface Failed extends Said {
  readonly status: 'skipped' | 'failed';
  readonly code: ErrorCode;
  readonly message: string;
}

/** Where a rank was when it gave up. */
export interface GivenUpAt {
  /** Rank it was waiting for, -1 unknown. */
  readonly awaitedPeer: number;
  /** Sample it was in, -1 outside a loop. */
  readonly iteration: number;
  /** Its iterations still advanced: it is slow, and hangs nowhere. */
  readonly advances: boolean;
}

/** `peer`: it left because it heard that another rank had failed. */
interface CutShort extends Said, GivenUpAt {
  readonly status: 'timeout' | 'peer';
  readonly code: ErrorCode;
  readonly message: string;
}

export type BadVerdict = Failed | CutShort;
/** One rank's word. */
export type StageVerdict = Well | BadVerdict;

interface Concluded {
  readonly stage: string;
  /** Exit status of a signal, 0 for none. */
  readonly stop: number;
}

export interface BadJudgement extends Concluded {
  readonly status: 'skipped' | 'failed' | 'timeout';
  /** Ranks that failed or hung by themselves, not for a peer's sake. */
  readonly culprits: readonly BadVerdict[];
  /** First culprit of a time-out, where it could be identified. */
  readonly hungRank?: number;
  /** For whose sake the run cannot go on, and later points are `aborted`. */
  readonly fatal?: BadVerdict | undefined;
}

export type Judgement = BadJudgement | (Concluded & { readonly status: 'ok' });

/** Every rank computes the same judgement from the same verdicts. */
export function judge(stage: string, verdicts: readonly StageVerdict[]): Judgement {
  const stop = Math.max(0, ...verdicts.map((v) => v.stop));
  const failed = verdicts.filter((v): v is Failed => v.status === 'failed');
  const timedOut = verdicts.filter((v): v is CutShort => v.status === 'timeout');
  const skipped = verdicts.filter((v): v is Failed => v.status === 'skipped');
  const strays = verdicts.filter((v): v is CutShort => v.status === 'peer');
  const fatal = [...failed, ...timedOut].find((v) => ERROR_CATALOGUE[v.code].exit === EXIT.fatal);
  if (failed.length > 0) {
    return { status: 'failed', stage, culprits: failed, fatal, stop };
  }
  if (timedOut.length > 0) {
    const cutShort = strays.map((v) => asTimedOut(v, timedOut));
    const culprits = hungVerdicts([...timedOut, ...cutShort].toSorted((a, b) => a.rank - b.rank));
    // Several candidates: a link is down between them, or the point is merely slow. Nobody is blamed.
    const isNamed = culprits.length === 1;
    return {
      status: 'timeout',
      stage,
      culprits,
      fatal,
      stop,
      ...(isNamed ? { hungRank: firstOf(culprits).rank } : {}),
    };
  }
  if (skipped.length > 0) return { status: 'skipped', stage, culprits: skipped, stop };
  // Ranks at different steps that all call themselves well have lost each other: nothing later can be trusted.
  if (new Set(verdicts.map((v) => v.step)).size > 1) {
    const culprits = verdicts.map(outOfStep);
    return { status: 'failed', stage, culprits, fatal: firstOf(culprits), stop };
  }
  if (strays.length > 0) return { status: 'failed', stage, culprits: strays, stop };
  return { status: 'ok', stage, stop };
}

/**
 * A rank that was told to stop by one whose deadline came first: it had not finished either, and may be the one that hangs.
 * What the other waited for is the only trace of why, so it is told with it.
 */
function asTimedOut(verdict: CutShort, timedOut: readonly CutShort[]): CutShort {
  const first = timedOut.find((v) => v.awaitedPeer === verdict.rank) ?? firstOf(timedOut);
  const message = `it was told to stop shortly before its own deadline by rank ${first.rank}: ${first.message}`;
  return { ...verdict, status: 'timeout', code: 'E_TIMEOUT', message };
}

function outOfStep(verdict: StageVerdict): Failed {
  return { ...verdict, status: 'failed', code: 'E_WORLD_LOST', message: 'ranks are at different steps' };
}

/**
 * Of ranks that all ran into the deadline, the ones that hung rather than waited: somebody waits for them and they
 * wait for nobody. Where nobody knows whom it waits for, those that are behind in iterations.
 */
function hungVerdicts(allTimedOut: readonly CutShort[]): readonly CutShort[] {
  const timedOut = allTimedOut.filter((v) => !v.advances);
  // All were at work: one snapshot of who waits for whom, or is an iteration behind, says nothing of a slow point.
  if (timedOut.length === 0) return allTimedOut;
  const awaited = new Set(timedOut.map((v) => v.awaitedPeer));
  const idle = timedOut.filter((v) => v.awaitedPeer < 0);
  const named = idle.filter((v) => awaited.has(v.rank));
  if (named.length > 0) return named;
  if (idle.length > 0 && idle.length < timedOut.length) return idle;
  // From here on all wait for somebody, or nobody does.
  const behind = Math.min(...timedOut.map((v) => v.iteration));
  const slowest = timedOut.filter((v) => v.iteration === behind);
  return slowest.length < timedOut.length || timedOut.length === 1 ? slowest : timedOut;
}

/** One sentence for the log and the rows of ranks that are not culprits themselves. */
export function describeCulprits(judgement: BadJudgement): string {
  return judgement.culprits
    .slice(0, 4)
    .map((v) => {
      const what = v.status === 'timeout' ? 'did not finish' : 'failed';
      return `rank ${v.rank} ${what} ${v.step}${v.message ? `: ${v.message}` : ''}`;
    })
    .join('; ');
}
