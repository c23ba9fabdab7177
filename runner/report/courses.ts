/** How the time of each key went over the runs, and from which run on its level was another. */
import { levelChanges, type LevelChange, type Step } from '../compare/level-changes.js';
import { groupBy } from './group-by.js';
import { uniqueNames } from './key-names.js';
import type { Key, Suite } from './model.js';
import { keyOf } from './repeats.js';
import { firstOf, itemAt } from '../values/items.js';

export interface Course {
  readonly name: string;
  /** In order of time, at least two. */
  readonly steps: readonly Step[];
  readonly changes: readonly LevelChange[];
  /** Slowest run over fastest run. */
  readonly range: number;
}

/** Keys with at least two good runs: those that changed first, then those that moved most. */
export function coursesOf(suite: Suite): Course[] {
  const measured = [...measuredOf(suite), ...recordedOf(suite)];
  const groups = [...groupBy(measured, ({ key }) => keyOf(key)).values()].filter((group) => group.length > 1);
  const names = uniqueNames(groups.map((group) => firstOf(group).key));
  const courses = groups.map((group, at): Course => {
    const steps = group.map(({ step }) => step).toSorted((a, b) => +a.startedAt - +b.startedAt);
    const name = itemAt(names, at);
    const logs = steps.map(({ log }) => log);
    const range = Math.exp(Math.max(...logs) - Math.min(...logs));
    return { name, steps, range, changes: levelChanges(steps, name, groups.length) };
  });
  return courses.toSorted((a, b) => sizeOf(b) - sizeOf(a) || b.range - a.range);
}

const sizeOf = ({ changes }: Course): number =>
  Math.max(0, ...changes.map(({ changePct }) => Math.abs(changePct)));

interface Measured {
  readonly key: Key;
  readonly step: Step;
}

function measuredOf(suite: Suite): Measured[] {
  return [...suite.earlier, ...suite.runs].flatMap(({ runId, startedAt, rows }) =>
    rows
      .filter((row) => row.status === 'ok')
      .flatMap((key) => {
        const { p50Us = 0 } = key;
        return p50Us > 0 ? [{ key, step: { run: runId, startedAt, log: Math.log(p50Us) } }] : [];
      }),
  );
}

/** Of the history's runs that are not among those of the report. */
function recordedOf({ specName, recorded, runs, earlier }: Suite): Measured[] {
  const shown = new Set([...earlier, ...runs].flatMap(({ runId }) => runId.split(', ')));
  return recorded
    .filter(({ name }) => !shown.has(name))
    .flatMap(({ name, startedAt, cells }) =>
      [...cells].flatMap(([text, { log, series }]) => {
        if (log === undefined) return [];
        const [kind = '', jobId = '', params = '', layout = '', phase = '', timing = '', direction = ''] =
          text.split('\u0000');
        const key = { specName, kind, jobId, params, layout, phase, timing, direction, series };
        return [{ key, step: { run: name, startedAt, log } }];
      }),
    );
}
