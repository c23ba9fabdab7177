/** A step that every rank takes, and that is only well where it is well on all of them. */
import { exchange } from './agreement.js';
import type { World } from './world.js';
import { RunnerError, toRunnerError, type ErrorCode } from '../errors.js';

interface Word {
  readonly code?: ErrorCode;
  readonly message?: string;
}

/** How long ranks may be apart at a step of the start: one reads a spec or opens a device, the others wait. */
export const START_TIMEOUT_MS = 60_000;

/**
 * Runs `body` on every rank, then all learn how it went. Returns this rank's value where all are well; else throws
 * the same error on all ranks, naming those that failed. Collective.
 */
export async function together<T>(world: World, step: string, body: () => T | Promise<T>): Promise<T> {
  let value: T | undefined;
  let failure: RunnerError | undefined;
  try {
    value = await body();
  } catch (error) {
    failure = toRunnerError(error);
  }
  const own: Word = failure ? { code: failure.code, message: failure.message } : {};
  const words = await exchange(world, step, own, { timeoutMs: START_TIMEOUT_MS, stage: 'start', point: -1 });
  const failed = words.flatMap((word, rank) =>
    word.code ? [{ rank, code: word.code, message: word.message ?? '' }] : [],
  );
  const first = failed[0];
  if (!first) return value as T;
  throw new RunnerError(first.code, describe(step, failed, words.length), { cause: failure });
}

/** Ranks that say the same are named together. */
function describe(
  step: string,
  failed: readonly { rank: number; code: ErrorCode; message: string }[],
  worldSize: number,
): string {
  const byMessage = new Map<string, number[]>();
  for (const { rank, message } of failed) byMessage.set(message, [...(byMessage.get(message) ?? []), rank]);
  if (byMessage.size === 1 && failed.length === worldSize) return failed[0]?.message ?? step;
  return [...byMessage]
    .map(([message, ranks]) => `${ranks.length === 1 ? 'rank' : 'ranks'} ${ranks.join(', ')}: ${message}`)
    .join('; ');
}
