/** The stage that a point is in. A kind holds one context from `open` on: what it asks of it belongs to the stage of the moment. */
import { RunnerError } from '../errors.js';
import type { StageClock } from './stage.js';
import type { StageExchanges } from './stage-exchanges.js';

export interface RunningStage {
  readonly name: string;
  readonly clock: StageClock;
  readonly exchanges: StageExchanges;
}

export class PointStage {
  #running: RunningStage | undefined;
  #hasFailed = false;

  enter(stage: RunningStage): void {
    this.#running = stage;
  }

  /** Ranks agree on nothing any more: some have nothing to close, and what this rank gave up may still go on. */
  fail(): void {
    this.#hasFailed = true;
  }

  get running(): RunningStage {
    // v8 ignore next -- mistake
    if (this.#running) return this.#running;
    throw new RunnerError('E_STATE', 'expected a stage that runs, received a call before the first one');
  }

  /** Throws E_STATE after a stage that failed. */
  requireGood(step: string): void {
    if (this.#hasFailed)
      throw new RunnerError(
        'E_STATE',
        `"${step}" comes after a stage that failed: ranks agree on nothing in close()`,
      );
  }
}
