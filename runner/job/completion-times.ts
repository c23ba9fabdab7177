/** The completion times of a point while it is measured: what ranks tell each other of their samples, and what comes of it. */
import { RunnerError } from '../errors.js';
import type { Phase } from '../native/types/index.js';
import { medianNoisePct } from '../statistics/median-noise.js';
import { numberAt } from '../values/items.js';

/** Of one rank, after a batch. */
export interface BatchWord {
  readonly elapsedSeconds: number;
  readonly secondsPerIteration: number;
  readonly remainingSeconds: number;
  /** Phase, timing and direction -> the batch's samples, as the base64 of little-endian doubles. */
  readonly samples: Readonly<Record<string, string>>;
}

const DOUBLE_BYTES = 8;

/** Phases by which noise is judged: the whole where there is one, else each part. Without those that this rank is idle in. */
export function judgedSamples(phases: readonly Phase[]): Record<string, string> {
  const whole = phases.filter(({ phase }) => phase === 'total');
  const judged = (whole.length > 0 ? whole : phases).filter(({ timesUs }) => timesUs.length > 0);
  return Object.fromEntries(
    judged.map(({ phase, timing, direction, timesUs }) => [
      [phase, timing, direction].join(' '),
      Buffer.from(timesUs.buffer, timesUs.byteOffset, timesUs.byteLength).toString('base64'),
    ]),
  );
}

/** The maximum over ranks of each sample, by phase; grows with each batch. */
export class CompletionTimes {
  readonly #byPhase = new Map<string, number[]>();

  /** `words` by rank. Throws E_STATE where ranks took other numbers of samples than `iterations`. */
  add(words: readonly BatchWord[], iterations: number): void {
    const batch = new Map<string, Float64Array>();
    for (const [rank, { samples }] of words.entries()) {
      for (const [phase, text] of Object.entries(samples)) {
        const maximum = batch.get(phase) ?? new Float64Array(iterations);
        batch.set(phase, maximum);
        const timesUs = decodeTimes(text);
        if (timesUs?.length !== iterations) {
          const received = timesUs === null ? 'something else' : String(timesUs.length);
          throw new RunnerError(
            'E_STATE',
            `stopping: rank ${rank}, ${phase}: expected ${iterations} times in a batch, received ${received}`,
          );
        }
        for (const [at, timeUs] of timesUs.entries()) maximum[at] = Math.max(numberAt(maximum, at), timeUs);
      }
    }
    for (const [phase, timesUs] of batch) {
      const all = this.#byPhase.get(phase) ?? [];
      this.#byPhase.set(phase, all);
      for (const timeUs of timesUs) all.push(timeUs);
    }
  }

  /** Of the noisiest phase; Infinity where nothing was timed. */
  noisePct(): number {
    const noises = [...this.#byPhase.values()].map((timesUs) => medianNoisePct(timesUs) ?? Infinity);
    return noises.length === 0 ? Infinity : Math.max(...noises);
  }
}

/** Null where these are no times. */
function decodeTimes(text: string): Float64Array | null {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.byteLength % DOUBLE_BYTES !== 0) return null;
  const timesUs = Float64Array.from({ length: bytes.byteLength / DOUBLE_BYTES }, (_, at) =>
    bytes.readDoubleLE(at * DOUBLE_BYTES),
  );
  return timesUs.every((timeUs) => timeUs >= 0 && timeUs < Infinity) ? timesUs : null;
}
