/** samples/: the raw samples of a point on one rank, on request (`saveSamples`). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { samplesOf, type Measurement } from '../job/measurement.js';
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

function factsOf(measurement: Measurement): Readonly<Record<string, ArrayLike<number>>> {
  return (measurement.state === 'measured' ? measurement.sampleFacts : undefined) ?? {};
}

/** None where samples ran freely: which of them passed the barrier is not known here. */
function skewsOf(measurement: Measurement): ArrayLike<number> {
  if (measurement.state !== 'measured') return [];
  const { entrySkewUs = [], samplesUs } = measurement;
  return entrySkewUs.length === samplesUs.length ? entrySkewUs : [];
}

/** Writes one new file below `folder`/samples and returns its path. Rejects with E_OUTPUT. */
export async function writeSamples(
  folder: string,
  place: { readonly point: number; readonly rank: number },
  measurements: readonly Measurement[],
): Promise<string> {
  const factNames = [...new Set(measurements.flatMap((measurement) => Object.keys(factsOf(measurement))))];
  const records = measurements.flatMap((measurement) => {
    const facts = factsOf(measurement);
    return Array.from(samplesOf(measurement), (timeUs, iteration) => [
      measurement.phase,
      measurement.timing,
      measurement.direction,
      iteration,
      timeUs,
      skewsOf(measurement)[iteration] ?? '',
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
