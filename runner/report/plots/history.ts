/** How the median time of each key went over the runs, relative to that key's own median. */
import { groupBy } from '../group-by.js';
import { uniqueNames } from '../key-names.js';
import type { ReportRow, ReportedRun, Suite } from '../model.js';
import { threeDigits, timeText } from '../numbers.js';
import { keyOf, medianOfSorted } from '../repeats.js';
import { draw, MOST_SERIES, SERIES_COLORS, WIDE, type Plot } from './draw.js';

interface Course {
  readonly name: string;
  readonly medianUs: number;
  readonly steps: readonly { readonly run: ReportedRun; readonly p50Us: number; readonly ratio: number }[];
  readonly range: number;
}

/** Undefined below two runs. */
export async function historyPlot(suite: Suite): Promise<Plot | undefined> {
  const runs = [...suite.earlier, ...suite.runs].toSorted((a, b) => +a.startedAt - +b.startedAt);
  if (runs.length < 2) return undefined;
  const all = coursesOf(runs);
  if (all.length === 0) return undefined;
  const shown = all.toSorted((a, b) => b.range - a.range).slice(0, MOST_SERIES);
  const names = shown.map((course) => course.name);
  const values = shown.flatMap(({ name, steps }) =>
    steps.map(({ run, p50Us, ratio }) => ({
      time: run.startedAt.toISOString(),
      ratio,
      name,
      tip: `${name}; ${run.runId}; ${timeText(p50Us)}, ${threeDigits(ratio)} times its median`,
    })),
  );
  const encoding = {
    x: {
      field: 'time',
      type: 'temporal',
      title: 'start of the run, UTC',
      scale: { type: 'utc' },
      axis: { labelOverlap: true },
    },
    y: {
      field: 'ratio',
      type: 'quantitative',
      title: 'median time over its own median',
      scale: { zero: false },
    },
    color: {
      field: 'name',
      type: 'nominal',
      sort: names,
      scale: { domain: names, range: SERIES_COLORS.slice(0, names.length) },
      legend: { columns: 1, labelLimit: 800 },
    },
  };
  const point = {
    ...encoding,
    shape: { field: 'name', type: 'nominal', sort: names },
    description: { field: 'tip' },
  };
  const widest = shown[0] as Course;
  const some = shown.length < all.length ? ` The ${shown.length} keys that moved most of ${all.length}.` : '';
  return {
    title: `History of ${suite.specName}`,
    caption: `${runs.length} runs. A gap is a run without that key.${some}`,
    words: `The key that moved most is ${widest.name}: its slowest run took ${threeDigits(widest.range)} times its fastest.`,
    svg: await draw({
      width: WIDE,
      height: 230,
      layer: [
        { data: { values }, mark: { type: 'line', strokeWidth: 1.5, aria: false }, encoding },
        { data: { values }, mark: { type: 'point', filled: true, size: 40, opacity: 1 }, encoding: point },
      ],
    }),
  };
}

/** Keys with at least two good runs. */
function coursesOf(runs: readonly ReportedRun[]): Course[] {
  const measured = runs.flatMap((run) =>
    run.rows.filter((row) => row.status === 'ok' && (row.p50Us ?? 0) > 0).map((row) => ({ row, run })),
  );
  const byKey = groupBy(measured, ({ row }) => keyOf(row));
  const groups = [...byKey.values()].filter((group) => group.length > 1);
  const names = uniqueNames(groups.map((group) => (group[0] as { row: ReportRow }).row));
  return groups.map((group, at) => {
    const sorted = group.map(({ row }) => row.p50Us as number).toSorted((a, b) => a - b);
    const medianUs = medianOfSorted(sorted);
    return {
      name: names[at] as string,
      medianUs,
      steps: group.map(({ row, run }) => ({
        run,
        p50Us: row.p50Us as number,
        ratio: (row.p50Us as number) / medianUs,
      })),
      range: (sorted.at(-1) as number) / (sorted[0] as number),
    };
  });
}
