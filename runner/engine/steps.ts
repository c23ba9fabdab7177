/** Steps inside a stage that concern all ranks: each says how its own went, and all hear the same. */
import { toRunnerError, type RunnerError, isSkip } from '../errors.js';
import type { PointContext } from '../job/context.js';
import type { Point } from '../job-spec/types.js';
import type { World } from '../world/world.js';
import type { StageClock } from './stage.js';
import type { PointStage } from './point-stage.js';
import type { StageVerdict } from './verdict.js';

const YES = 'yes';

interface StepOptions {
  readonly point: Point;
  readonly world: World;
  stopStatus(): number;
}

type Ran<T> = { readonly value: T } | { readonly failure: RunnerError };

export function stepsOf(
  options: StepOptions,
  stage: PointStage,
): Pick<PointContext, 'onAllRanks' | 'onAnyRank' | 'wordsOfAll'> {
  const tell = async (
    step: string,
    failure: RunnerError | undefined,
    word: string,
  ): Promise<readonly StageVerdict[]> => {
    const { point, world } = options;
    stage.requireGood(step);
    const { name, clock, exchanges } = stage.running;
    const said = {
      rank: world.info.rank,
      point: point.index,
      step: `${name}: ${step}`,
      stop: options.stopStatus(),
      word,
    };
    const own: StageVerdict = failure
      ? {
          ...said,
          status: isSkip(failure) ? 'skipped' : 'failed',
          code: failure.code,
          message: failure.message,
        }
      : { ...said, status: 'ok' };
    return await exchanges.ofStep(own, clock);
  };
  return {
    onAllRanks: async (step, body) => {
      const { clock } = stage.running;
      const ran = await run(body, clock);
      await tell(step, 'failure' in ran ? ran.failure : undefined, '');
      // v8 ignore next -- mistake
      if ('failure' in ran) throw ran.failure;
      return ran.value;
    },
    onAnyRank: async (question, own) => {
      const verdicts = await tell(question, undefined, own ? YES : '');
      return verdicts.some(({ word }) => word === YES);
    },
    wordsOfAll: async (question, own) => (await tell(question, undefined, own)).map(({ word }) => word),
  };
}

async function run<T>(body: () => T | Promise<T>, clock: StageClock): Promise<Ran<T>> {
  try {
    return { value: await body() };
  } catch (error) {
    // Past its deadline the stage is over: its end tells the others.
    if (clock.signal.aborted) throw error;
    return { failure: toRunnerError(error) };
  }
}
