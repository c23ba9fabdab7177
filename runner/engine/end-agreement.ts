/** What the ranks tell each other at the end of a run: exit status, rows, and what could not be written. */
import { EXIT, knownCode, RunnerError, toRunnerError, worstExit } from '../errors.js';
import { exchange } from '../world/agreement.js';
import { endTimeoutMs } from '../world/deadlines.js';
import type { LoopEnd } from './points.js';
import type { Run } from './run-state.js';

export interface Agreed {
  readonly status: number;
  readonly counts: readonly Record<string, number>[];
  /** What could not be written, of all ranks that were heard. */
  readonly failures: readonly RunnerError[];
  /** All ranks took part. */
  readonly whole: boolean;
}

interface EndWord {
  readonly status: number;
  readonly counts: Record<string, number>;
  readonly hostname: string;
  readonly failures: readonly { readonly code: string; readonly message: string }[];
}

/** The failures of all ranks, each with its place: a rank other than 0 has no terminal of its own. */
function failuresOf(words: readonly EndWord[]): RunnerError[] {
  return words.flatMap(({ failures, hostname }, rank) =>
    failures.map(({ code, message }) => {
      const place = words.length === 1 ? '' : `rank ${rank} on ${hostname}: `;
      return new RunnerError(knownCode(code, 'E_OUTPUT'), `${place}${message}`);
    }),
  );
}

/** Collective, unless the world is lost. Never rejects. */
export async function agreeOnEnd(run: Run, own: number, end: LoopEnd): Promise<Agreed> {
  const alone: Agreed = {
    status: own,
    counts: [run.counts.toJSON() as Record<string, number>],
    failures: run.failures,
    whole: false,
  };
  const { hurried } = end;
  if (end.worldLost) return alone;
  try {
    const timeoutMs = hurried ? run.stop.budget.endMs : endTimeoutMs();
    const word: EndWord = {
      status: own,
      counts: run.counts.toJSON() as Record<string, number>,
      hostname: run.facts.hostname,
      failures: run.failures.map(({ code, message }) => ({ code, message })),
    };
    const words = await exchange(run.world, 'the end', word, { timeoutMs, stage: 'end', point: -1 });
    return {
      status: worstExit(words.map((word) => word.status)),
      counts: words.map(({ counts }) => counts),
      failures: failuresOf(words),
      whole: true,
    };
  } catch (error) {
    run.log.error({ err: error }, 'the ranks did not agree on the end');
    if (hurried) return alone;
    const failures = [...run.failures, toRunnerError(error, 'E_WORLD_LOST')];
    return { ...alone, failures, status: worstExit([own, EXIT.fatal]) };
  }
}

/** Every row of the run is a skipped one: its exit status says ok, and nobody has a figure. */
export function measuredNothing(counts: Agreed['counts']): boolean {
  const statuses = counts.flatMap((own) => Object.entries(own)).filter(([, rows]) => rows > 0);
  return statuses.length > 0 && statuses.every(([status]) => status === 'skipped');
}
