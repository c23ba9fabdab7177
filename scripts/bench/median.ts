/** The median by nearest rank, as everywhere in railrunner. */
import { nearestRank, sortSamples } from '../../runner/statistics/samples.js';

export function median(values: readonly number[]): number {
  return nearestRank(sortSamples(values), 50);
}
