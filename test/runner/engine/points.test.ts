/** Rows for the points of a run that ended before them. */
import t from 'tap';
import { notStarted } from '../../../runner/engine/outcome.js';
import { abortRest } from '../../../runner/engine/points.js';
import type { Run } from '../../../runner/engine/run-state.js';
import type { Row } from '../../../runner/results/row.js';
import { factsOf, pointOf } from '../../helpers/result-samples.js';

const NUM_POINTS = 120;
const outcome = notStarted('E_INTERRUPTED', 'ended by SIGTERM');

interface Told {
  readonly run: Run;
  /** Points of the rows made, and of those in the summary. */
  readonly rows: number[];
  readonly summary: number[];
  readonly warned: object[];
}

/** A run whose first point has its rows, and that is about to report it. */
function cutRun(rowsMade: (rows: readonly Row[]) => Promise<void> = async () => {}): Told {
  const [rows, summary, warned]: [number[], number[], object[]] = [[], [], []];
  const run = {
    pending: Array.from({ length: NUM_POINTS }, (_, index) => pointOf(index)),
    facts: factsOf(0),
    ending: false,
    firstWithoutRow: 1,
    firstWithoutSummary: 0,
    log: { warn: (facts: object) => warned.push(facts) },
    observers: {
      rowsMade: async (made: readonly Row[]) => {
        rows.push(...made.map((row) => Number(row['point'])));
        await rowsMade(made);
      },
      pointReported: ({ index }: { index: number }) => summary.push(index),
    },
  } as unknown as Run;
  return { run, rows, summary, warned };
}

const all = Array.from({ length: NUM_POINTS }, (_, index) => index);

t.test('each point gets a row and a line of the summary, once, in order', async (t) => {
  const { run, rows, summary, warned } = cutRun();
  await abortRest(run, outcome, { endsAt: Infinity });
  await abortRest(run, outcome, { endsAt: Infinity });
  t.same([rows, summary, warned], [all.slice(1), all, []], 'the first had its row already');
  t.same([run.firstWithoutRow, run.firstWithoutSummary], [NUM_POINTS, NUM_POINTS]);
});

t.test(
  'a file system that hangs does not hold the rows, and their time ends: the log says where',
  async (t) => {
    const { run, rows } = cutRun(() => new Promise(() => {}));
    await abortRest(run, outcome, { endsAt: Infinity });
    t.same(rows, all.slice(1));
    const late = cutRun();
    await abortRest(late.run, outcome, { endsAt: 0 });
    t.same([late.rows, late.summary], [[], []]);
    t.same(late.warned, [{ firstWithoutRow: 0 }]);
  },
);
