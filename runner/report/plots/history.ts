/** How the median time of each key went over the runs, relative to that key's own median, and where its level changed. */
import { coursesOf, type Course } from '../courses.js';
import type { Suite } from '../model.js';
import { changeText, threeDigits, timeText } from '../numbers.js';
import { medianOfSorted } from '../repeats.js';
import { draw, MOST_SERIES, SERIES_COLORS, WIDE, type Plot } from './draw.js';
import { firstOf } from '../../values/items.js';

/** Undefined below two runs. */
export async function historyPlot(suite: Suite, courses = coursesOf(suite)): Promise<Plot | undefined> {
  if (courses.length === 0) return undefined;
  const shown = courses.slice(0, MOST_SERIES);
  const names = shown.map((course) => course.name);
  const values = shown.flatMap(pointsOf);
  const changes = shown.flatMap(({ name, changes: found }) =>
    found.map(({ step, changePct }) => ({
      time: step.startedAt.toISOString(),
      name,
      tip: `${name}; ${changeText(changePct)} from ${step.run} on`,
    })),
  );
  const color = {
    field: 'name',
    type: 'nominal',
    sort: names,
    scale: { domain: names, range: SERIES_COLORS.slice(0, names.length) },
    legend: { columns: 1, labelLimit: 800 },
  };
  const x = {
    field: 'time',
    type: 'temporal',
    title: 'start of the run, UTC',
    scale: { type: 'utc' },
    axis: { labelOverlap: true },
  };
  const y = {
    field: 'ratio',
    type: 'quantitative',
    title: 'median time over its own median',
    scale: { zero: false },
  };
  const shape = { field: 'name', type: 'nominal', sort: names };
  const numRuns = new Set(courses.flatMap(({ steps }) => steps.map(({ run }) => run))).size;
  return {
    title: `History of ${suite.specName}`,
    caption: `${numRuns} runs. A gap is a run without that key; a dashed line is the first run on another level.${choiceText(shown.length, courses.length)}`,
    words: wordsOf(courses),
    svg: await draw({
      width: WIDE,
      height: 230,
      layer: [
        {
          data: { values: changes },
          mark: { type: 'rule', strokeDash: [5, 4], strokeWidth: 1.5 },
          encoding: { x, color, description: { field: 'tip' } },
        },
        {
          data: { values },
          mark: { type: 'line', strokeWidth: 1.5, aria: false },
          encoding: { x, y, color },
        },
        {
          data: { values },
          mark: { type: 'point', filled: true, size: 40, opacity: 1 },
          encoding: { x, y, color, shape, description: { field: 'tip' } },
        },
      ],
    }),
  };
}

function pointsOf({ name, steps }: Course) {
  const median = medianOfSorted(steps.map(({ log }) => Math.exp(log)).toSorted((a, b) => a - b));
  return steps.map(({ run, startedAt, log }) => {
    const ratio = Math.exp(log) / median;
    const tip = `${name}; ${run}; ${timeText(Math.exp(log))}, ${threeDigits(ratio)} times its median`;
    return { time: startedAt.toISOString(), ratio, name, tip };
  });
}

const choiceText = (shown: number, all: number): string =>
  shown < all ? ` The ${shown} keys that changed or moved most of ${all}.` : '';

function wordsOf(courses: readonly Course[]): string {
  const first = firstOf(courses);
  const widest = `The slowest run of ${first.name} took ${threeDigits(first.range)} times its fastest.`;
  const changed = courses.filter(({ changes }) => changes.length > 0).length;
  return changed === 0
    ? `No key changed its level. ${widest}`
    : `${changed} of ${courses.length} keys changed their level; the table names them. ${widest}`;
}
