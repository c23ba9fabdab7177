/** One stage of a point on this rank: bounded by its deadline, ended early by a peer's failure. */
import type { World } from '../world/world.js';
import { RunnerError, toRunnerError, isSkip } from '../errors.js';
import { present } from '../values/items.js';
import type { NativeAddon } from '../native/types/index.js';
import { ProgressWatch } from './progress-watch.js';
import type { BadVerdict, GivenUpAt, StageVerdict } from './verdict.js';

/** How long a stage may take to come back after its abort word was set, before its thread counts as stuck. */
const UNWIND_GRACE_MS = 1500;

export interface StageClock {
  readonly signal: AbortSignal;
  remainingMs(): number;
}

export interface StageOptions {
  readonly stage: string;
  readonly point: number;
  readonly timeoutMs: number;
  readonly world: World;
  readonly addon: NativeAddon;
  /** Exit status of a received signal, 0 for none. */
  stopStatus(): number;
}

export interface LocalResult<T> {
  readonly verdict: StageVerdict;
  readonly value?: T;
  /** The full error, for the log. */
  readonly error?: RunnerError;
}

/** Thrown inside a stage when an agreement within it has already told everyone that the stage failed. */
export class AgreedFailure extends Error {
  readonly verdicts: readonly StageVerdict[];
  constructor(verdicts: readonly StageVerdict[]) {
    super('the stage was given up by agreement');
    this.verdicts = verdicts;
  }
}

type Ending<T> = { kind: 'done'; value: T } | { kind: 'threw'; error: unknown } | { kind: 'stuck' };

/** Runs `body` and always comes back: with its value, its error, or after the deadline plus a short grace. */
export async function runStage<T>(
  options: StageOptions,
  body: (clock: StageClock) => Promise<T>,
): Promise<LocalResult<T>> {
  const { world, addon } = options;
  const controller = new AbortController();
  world.native.setAbort(false);
  world.native.report(options.stage, options.point);
  const endsAt = performance.now() + options.timeoutMs;
  let late = false;
  let at: GivenUpAt = { awaitedPeer: -1, iteration: -1, advances: false };
  const progress = new ProgressWatch(options.timeoutMs, () => ownPlace(world).iteration);
  let timer: NodeJS.Timeout | undefined;
  const givenUp = new Promise<Ending<T>>((resolve) => {
    timer = setTimeout(() => {
      late = true;
      at = { ...ownPlace(world), advances: progress.advances() };
      world.native.setAbort(true);
      controller.abort();
      timer = setTimeout(() => resolve({ kind: 'stuck' }), UNWIND_GRACE_MS);
    }, options.timeoutMs);
  });

  const clock: StageClock = {
    signal: controller.signal,
    remainingMs: () => Math.max(1, Math.ceil(endsAt - performance.now())),
  };
  const ran: Promise<Ending<T>> = Promise.resolve()
    .then(() => body(clock))
    .then(
      (value) => ({ kind: 'done', value }) as const,
      (error: unknown) => ({ kind: 'threw', error }) as const,
    );
  const ending = await Promise.race([ran, givenUp]);
  clearTimeout(timer);
  progress.close();
  // Told to stop by a peer whose deadline came first, this rank may be the one that the others waited for.
  if (!late && ending.kind === 'threw') at = { ...ownPlace(world), advances: progress.advances() };
  // Nothing native waits any more, unless its thread is stuck: then the word stays.
  if (ending.kind !== 'stuck') world.native.setAbort(false);

  const { stage: step, point } = options;
  const said = { rank: world.info.rank, point, step, stop: options.stopStatus(), word: '' };
  const say = (status: BadVerdict['status'], error: RunnerError): LocalResult<T> => ({
    verdict: { ...said, ...at, status, code: error.code, message: error.message },
    error,
    ...(ending.kind === 'done' ? { value: ending.value } : {}),
  });
  if (ending.kind === 'threw' && ending.error instanceof AgreedFailure) throw ending.error;
  if (ending.kind === 'stuck' && addon.isWorkerBusy()) {
    return say('timeout', stuckError(options, at.awaitedPeer, addon.heldUpBy()));
  }
  if (late) return say('timeout', deadlineError(options, at));
  if (ending.kind === 'threw') {
    const error = toRunnerError(ending.error);
    // A wait that ended although this rank's deadline has not: a peer said that it comes no further.
    if (error.code === 'E_ABORTED') return say('peer', error);
    return say(error.code === 'E_TIMEOUT' ? 'timeout' : isSkip(error) ? 'skipped' : 'failed', error);
  }
  // v8 ignore next -- mistake
  if (ending.kind === 'done') return { verdict: { ...said, status: 'ok' }, value: ending.value };
  throw new Error('a stage is stuck before its deadline');
}

/** Where this rank's own work is. */
function ownPlace({ native, info }: World): Pick<GivenUpAt, 'awaitedPeer' | 'iteration'> {
  const own = native.liveness().find(({ rank }) => rank === info.rank);
  const { awaitedPeer, iteration } = present(own, 'what this rank says of itself');
  return { awaitedPeer, iteration };
}

function deadlineError(options: StageOptions, { awaitedPeer, iteration, advances }: GivenUpAt): RunnerError {
  const passed = `${options.stage} passed its deadline of ${options.timeoutMs / 1000} s`;
  const where = iteration >= 0 ? ` in iteration ${iteration}` : '';
  if (advances) {
    const remedy = 'it is slow, or has too many iterations: raise timeoutSeconds or lower iterations';
    return new RunnerError('E_TIMEOUT', `${passed}${where}, which still advanced: ${remedy}`);
  }
  if (awaitedPeer < 0)
    return new RunnerError('E_TIMEOUT', `${passed}${where}; raise timeoutSeconds if the work takes longer`);
  const whom = `rank ${awaitedPeer}`;
  return new RunnerError(
    'E_TIMEOUT',
    `${passed}${where}, waiting for ${whom}: look at the row and log of ${whom}`,
  );
}

/** What a thread that does not come back waits for, as the end of a sentence; empty where that is not known. */
export function waitText(heldUpBy: string | null, awaitedPeer = -1): string {
  if (heldUpBy !== null) return `: it waits for ${heldUpBy}`;
  return awaitedPeer < 0 ? '' : `, last waiting for rank ${awaitedPeer}`;
}

function stuckError(options: StageOptions, awaitedPeer: number, heldUpBy: string | null): RunnerError {
  const whom = waitText(heldUpBy, awaitedPeer);
  return new RunnerError(
    'E_STUCK',
    `${options.stage} passed its deadline of ${options.timeoutMs / 1000} s and its thread did not come back${whom}. Look at what it waits for, then start again with --resume`,
  );
}
