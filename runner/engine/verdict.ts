/** What a rank says at a stage boundary, and what all ranks conclude from it. */
import { ERROR_CATALOGUE, EXIT, type ErrorCode } from '../errors.js';

export type VerdictStatus = 'ok' | 'skipped' | 'failed' | 'timeout' | 'peer';

/** One rank's word. `peer`: it left because it heard that another rank had failed. */
export interface StageVerdict {
  readonly rank: number;
  readonly point: number;
  /** "<stage>" at its end, "<stage>: <step>" inside it. */
  readonly step: string;
  readonly status: VerdictStatus;
  readonly code?: ErrorCode;
  readonly message?: string;
  /** Rank it was waiting for when it gave up, -1 unknown. */
  readonly awaitedPeer?: number;
  /** Sample it was in, -1 outside a loop. */
  readonly iteration?: number;
  /** Its iterations still advanced when its deadline came: it is slow, and hangs nowhere. */
  readonly advances?: boolean;
  /** Exit status of a signal that this rank received, 0 for none. */
  readonly stop: number;
  /** What the kind tells the other ranks. */
  readonly word?: string;
}

export interface Judgement {
  readonly status: 'ok' | 'skipped' | 'failed' | 'timeout';
  readonly stage: string;
  /** Ranks that failed or hung by themselves, not for a peer's sake. */
  readonly culprits: readonly StageVerdict[];
  /** First culprit of a time-out, where it could be identified. */
  readonly hungRank?: number;
  /** The run cannot go on: later points are `aborted`. */
  readonly fatal: boolean;
  /** Exit status of a signal, 0 for none. */
  readonly stop: number;
}

/** Every rank computes the same judgement from the same verdicts. */
export function judge(stage: string, verdicts: readonly StageVerdict[]): Judgement {
  const stop = Math.max(0, ...verdicts.map((v) => v.stop));
  const failed = verdicts.filter((v) => v.status === 'failed');
  const timedOut = verdicts.filter((v) => v.status === 'timeout');
  const skipped = verdicts.filter((v) => v.status === 'skipped');
  const fatal = [...failed, ...timedOut].some(
    (v) => v.code !== undefined && ERROR_CATALOGUE[v.code].exit === EXIT.fatal,
  );
  if (failed.length > 0) {
    return { status: 'failed', stage, culprits: failed, fatal, stop };
  }
  if (timedOut.length > 0) {
    const cutShort = verdicts.filter((v) => v.status === 'peer').map((v) => asTimedOut(v, timedOut));
    const culprits = hungVerdicts([...timedOut, ...cutShort].toSorted((a, b) => a.rank - b.rank));
    // Several candidates: a link is down between them, or the point is merely slow. Nobody is blamed.
    const isNamed = culprits.length === 1;
    const hungRank = isNamed ? culprits[0]?.rank : undefined;
    return {
      status: 'timeout',
      stage,
      culprits,
      fatal,
      stop,
      ...(hungRank === undefined ? {} : { hungRank }),
    };
  }
  if (skipped.length > 0) return { status: 'skipped', stage, culprits: skipped, fatal: false, stop };
  // Ranks at different steps that all call themselves well have lost each other: nothing later can be trusted.
  if (new Set(verdicts.map((v) => v.step)).size > 1) {
    return { status: 'failed', stage, culprits: verdicts.map(outOfStep), fatal: true, stop };
  }
  const strays = verdicts.filter((v) => v.status === 'peer');
  if (strays.length > 0) return { status: 'failed', stage, culprits: strays, fatal, stop };
  return { status: 'ok', stage, culprits: [], fatal: false, stop };
}

/**
 * A rank that was told to stop by one whose deadline came first: it had not finished either, and may be the one that hangs.
 * What the other waited for is the only trace of why, so it is told with it.
 */
function asTimedOut(verdict: StageVerdict, timedOut: readonly StageVerdict[]): StageVerdict {
  const first = timedOut.find((v) => v.awaitedPeer === verdict.rank) ?? timedOut[0];
  const why = first?.message ? ` by rank ${first.rank}: ${first.message}` : '';
  const message = `it was told to stop shortly before its own deadline${why}`;
  return { ...verdict, status: 'timeout', code: 'E_TIMEOUT', message };
}

function outOfStep(verdict: StageVerdict): StageVerdict {
  return { ...verdict, status: 'failed', code: 'E_STATE', message: 'ranks are at different steps' };
}

/**
 * Of ranks that all ran into the deadline, the ones that hung rather than waited: somebody waits for them and they
 * wait for nobody. Where nobody knows whom it waits for, those that are behind in iterations.
 */
function hungVerdicts(allTimedOut: readonly StageVerdict[]): StageVerdict[] {
  const quiet = allTimedOut.filter((v) => v.advances !== true);
  // All were at work: one snapshot of who waits for whom, or is an iteration behind, says nothing of a slow point.
  const timedOut = quiet.length > 0 ? quiet : allTimedOut;
  if (quiet.length === 0) return [...timedOut];
  const awaited = new Set(timedOut.map((v) => v.awaitedPeer ?? -1).filter((peer) => peer >= 0));
  const idle = timedOut.filter((v) => (v.awaitedPeer ?? -1) < 0);
  const named = idle.filter((v) => awaited.has(v.rank));
  if (named.length > 0) return named;
  if (idle.length > 0 && idle.length < timedOut.length) return idle;
  const candidates = idle.length > 0 ? idle : [...timedOut];
  const behind = Math.min(...candidates.map((v) => v.iteration ?? -1));
  const slowest = candidates.filter((v) => (v.iteration ?? -1) === behind);
  return slowest.length < timedOut.length || timedOut.length === 1 ? slowest : candidates;
}

/** One sentence for the log and the rows of ranks that are not culprits themselves. */
export function describeCulprits(judgement: Judgement): string {
  return judgement.culprits
    .slice(0, 4)
    .map((v) => {
      const what = v.status === 'timeout' ? 'did not finish' : 'failed';
      return `rank ${v.rank} ${what} ${v.step}${v.message ? `: ${v.message}` : ''}`;
    })
    .join('; ');
}
