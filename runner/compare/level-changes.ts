/** From which run on the times of a key lie on another level. */
import { sha256Hex } from '../job-spec/canonical.js';
import { changePoints } from '../statistics/change-points.js';
import { percent } from './judge.js';
import { itemAt } from '../values/items.js';

/** One key in one run. */
export interface Step {
  readonly run: string;
  readonly startedAt: Date;
  /** Natural logarithm of the median time. */
  readonly log: number;
}

export interface LevelChange {
  /** The first run on the new level. */
  readonly step: Step;
  /** New level against the previous one, in percent of the time: above 0 is slower. */
  readonly changePct: number;
  readonly p: number;
}

/** Change points of one key in a thousand would be chance at 0.05; so many permutations give 0.0001 at the least. */
const LEVEL = 0.05;
const SMALLEST_LEVEL = 0.0002;

/** In order of time, as `steps` are. `numKeys`: how many are asked about together. The same for the same steps and key. */
export function levelChanges(steps: readonly Step[], key: string, numKeys: number): LevelChange[] {
  const level = Math.max(SMALLEST_LEVEL, LEVEL / Math.max(1, numKeys));
  const logs = steps.map(({ log }) => log);
  const points = changePoints(logs, level, seededRandom(sha256Hex(key)));
  const ends = [...points.slice(1).map(({ at }) => at), logs.length];
  return points.map(({ at, p }, index) => {
    const before = mean(logs.slice(points[index - 1]?.at ?? 0, at));
    return { step: itemAt(steps, at), changePct: percent(mean(logs.slice(at, ends[index])) - before), p };
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** xorshift32 from the first digits of a digest; made odd, because it would never leave 0. */
function seededRandom(digest: string): () => number {
  let state = Number.parseInt(digest.slice(0, 8), 16) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
}
