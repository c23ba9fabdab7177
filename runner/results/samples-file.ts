/** samples/: the raw samples of a point on one rank, on request (`saveSamples`). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import type { Measured, Measurement } from '../job/measurement.js';
import type { ColumnDefinition } from './columns.js';
import { outputError } from '../system-failure.js';
import { makeFolder } from './run-folder.js';

export const SAMPLE_COLUMNS: readonly ColumnDefinition[] = [
  { name: 'phase', unit: '', meaning: 'as in the rank rows' },
  { name: 'timing', unit: '', meaning: 'as in the rank rows' },
  { name: 'direction', unit: '', meaning: 'as in the rank rows' },
  { name: 'iteration', unit: '', meaning: 'number of the timed iteration, from 0' },
  { name: 'time_us', unit: 'us', meaning: 'time of that iteration on this rank' },
  {
    name: 'entry_skew_us',
    unit: 'us',
    meaning: "last minus first rank of the node through that iteration's barrier",
  },
];

function samplesFileName(point: number, rank: number): string {
  return `point-${String(point).padStart(5, '0')}-rank-${String(rank).padStart(4, '0')}.csv`;
}

/** None where samples ran freely: which of them passed the barrier is not known here. */
function skewsOf({ entrySkewUs, samplesUs }: Measured): ArrayLike<number> {
  return entrySkewUs?.length === samplesUs.length ? entrySkewUs : [];
}

/** Writes one new file below `folder`/samples and returns its path. Rejects with E_OUTPUT. */
export async function writeSamples(
  folder: string,
  place: { readonly point: number; readonly rank: number },
  measurements: readonly Measurement[],
): Promise<string> {
  const measured = measurements.filter((each): each is Measured => each.state === 'measured');
  const factNames = [...new Set(measured.flatMap(({ sampleFacts = {} }) => Object.keys(sampleFacts)))];
  const records = measured.flatMap((measurement) => {
    const { phase, timing, direction, samplesUs, sampleFacts: facts = {} } = measurement;
    const skewsUs = skewsOf(measurement);
    return Array.from(samplesUs, (timeUs, iteration) => [
      phase,
      timing,
      direction,
      iteration,
      timeUs,
      skewsUs[iteration] ?? '',
      ...factNames.map((name) => facts[name]?.[iteration] ?? ''),
    ]);
  });
  const names = [...SAMPLE_COLUMNS.map((column) => column.name), ...factNames];
  const path = join(folder, 'samples', samplesFileName(place.point, place.rank));
  try {
    await makeFolder(join(folder, 'samples'));
    await writeFile(path, stringify([names, ...records]), { flag: 'wx' });
  } catch (error) {
    throw outputError(`${path} cannot be written`, error);
  }
  return path;
}
