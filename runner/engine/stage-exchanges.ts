/** What the ranks tell each other within one stage. They match exchanges by their order alone, so it must be one on all ranks. */
import { RunnerError } from '../errors.js';
import { exchange } from '../world/agreement.js';
import type { World } from '../world/world.js';
import { boundaryGraceMs } from '../world/deadlines.js';
import { AgreedFailure, type StageClock } from './stage.js';
import { judge, type StageVerdict } from './verdict.js';

export interface ExchangePlace {
  readonly world: World;
  readonly stage: string;
  readonly point: number;
}

export class StageExchanges {
  readonly #place: ExchangePlace;
  /** Of the newest step, in flight or over. */
  #ofStep: Promise<readonly StageVerdict[]> | undefined;

  constructor(place: ExchangePlace) {
    this.#place = place;
  }

  /** Throws AgreedFailure where a rank is not well, on all ranks. */
  async ofStep(own: StageVerdict, clock: StageClock): Promise<readonly StageVerdict[]> {
    refuseLate(own, clock);
    this.#ofStep = this.#exchange(own, clock.remainingMs());
    const verdicts = await this.#ofStep;
    if (!this.#isGood(verdicts)) throw new AgreedFailure(verdicts);
    return verdicts;
  }

  /**
   * At the end of the stage. A step that this rank has given up may still wait for the others: what comes of it comes first,
   * and where that is a failure it is the stage's. Another exchange would meet what they do next.
   */
  async atEnd(own: StageVerdict, timeoutMs: number): Promise<readonly StageVerdict[]> {
    const ofStep = await this.#ofStep;
    if (ofStep && !this.#isGood(ofStep)) return ofStep;
    return await this.#exchange(own, timeoutMs);
  }

  #exchange(own: StageVerdict, timeoutMs: number): Promise<readonly StageVerdict[]> {
    const { world, stage, point } = this.#place;
    const patientMs = timeoutMs + boundaryGraceMs(world.info);
    return exchange(world, own.step, own, { timeoutMs: patientMs, stage, point });
  }

  #isGood(verdicts: readonly StageVerdict[]): boolean {
    return judge(this.#place.stage, verdicts).status === 'ok';
  }
}

/** Past its deadline the stage is over on this rank: its end tells the others, and nothing else does. */
function refuseLate({ step }: StageVerdict, { signal }: StageClock): void {
  if (signal.aborted) throw new RunnerError('E_ABORTED', `"${step}" comes after the deadline of its stage`);
}
