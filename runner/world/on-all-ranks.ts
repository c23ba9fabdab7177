/** A step that every rank takes, and that went well only where it went well on all of them. */
import { exchange, type AgreeOptions } from './agreement.js';
import { startTimeoutMs } from './deadlines.js';
import type { World } from './world.js';
import { knownCode, RunnerError, toRunnerError } from '../errors.js';
import { rankList } from '../text/ranges.js';
import { present } from '../values/items.js';
import { within } from '../within.js';

const MAX_MESSAGE = 2000;
/** The others wait for one that reports at its deadline, and for as long as they may have begun earlier. */
const LATE_WORD_MS = 10_000;

/** How a step went on one rank, as the ranks tell it each other. */
export interface StepOutcome {
  readonly step: string;
  /** Null where all was well. */
  readonly code: string | null;
  readonly message: string;
}

/**
 * Runs `body` on every rank, then all learn how it went. Returns this rank's value where all are well; else throws
 * the same error on all ranks, naming those that failed; E_STUCK where `body` does not end by the deadline. Collective;
 * AgreementLost where a rank does not come.
 */
export async function onAllRanks<T>(
  world: World,
  step: string,
  body: () => T | Promise<T>,
  options: AgreeOptions = { timeoutMs: startTimeoutMs(), stage: 'start', point: -1 },
): Promise<T> {
  let done: { readonly value: T } | undefined;
  let failure: RunnerError | undefined;
  try {
    done = { value: await inTime(step, body, options.timeoutMs) };
  } catch (error) {
    failure = toRunnerError(error);
  }
  const own: StepOutcome = {
    step,
    code: failure?.code ?? null,
    message: failure?.message.slice(0, MAX_MESSAGE) ?? '',
  };
  const patient = { ...options, timeoutMs: options.timeoutMs + LATE_WORD_MS };
  const error = stepError(step, await exchange(world, step, own, patient), failure);
  if (error) throw error;
  return present(done, `the outcome of "${step}"`).value;
}

/** A file system or a driver that does not answer holds this rank, not the others. */
async function inTime<T>(step: string, body: () => T | Promise<T>, timeoutMs: number): Promise<T> {
  const done = Promise.resolve(body());
  if (await within(timeoutMs, done)) return await done;
  throw new RunnerError(
    'E_STUCK',
    `${step} did not end within ${timeoutMs / 1000} s. Look at this rank's host: a file system or a device does not answer`,
  );
}

/** The error of a step from every rank's outcome, the same on all ranks; null where all are well. */
export function stepError(
  step: string,
  outcomes: readonly StepOutcome[],
  cause?: RunnerError,
): RunnerError | null {
  const astray = outcomes.flatMap((outcome, rank) => (outcome.step === step ? [] : [rank]));
  const [stray] = astray;
  if (stray !== undefined) {
    return new RunnerError(
      'E_WORLD_LOST',
      `the ranks are in different steps: this rank in "${step}", ${rankList(astray)} elsewhere ` +
        `(rank ${stray} in "${outcomes[stray]?.step}"). Look at the log of the rank that failed first.`,
    );
  }
  const failures = outcomes.flatMap(({ code, message }, rank) =>
    code === null ? [] : [{ rank, code: knownCode(code, 'E_JOB'), message }],
  );
  // A rank whose wait was ended because of another is not the culprit.
  const culprits = failures.filter(({ code }) => code !== 'E_ABORTED');
  const blamed = culprits.length > 0 ? culprits : failures;
  const [first] = blamed;
  if (!first) return null;
  return new RunnerError(first.code, describeFailed(blamed, outcomes.length), { cause });
}

/** Ranks that say the same are named together; what all say is said without ranks. */
function describeFailed(failed: readonly { rank: number; message: string }[], worldSize: number): string {
  const byMessage = new Map<string, number[]>();
  for (const { rank, message } of failed) byMessage.set(message, [...(byMessage.get(message) ?? []), rank]);
  const [only] = byMessage.keys();
  if (only !== undefined && byMessage.size === 1 && failed.length === worldSize) return only;
  return [...byMessage].map(([message, ranks]) => `${rankList(ranks)}: ${message}`).join('; ');
}
