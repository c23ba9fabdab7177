/** Rows for the points of a run that ended before them. */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { notStarted } from '../../../runner/engine/outcome.js';
import { abortRest, runPoints, type LoopEnd } from '../../../runner/engine/points.js';
import type { Run } from '../../../runner/engine/run-state.js';
import { RunnerError } from '../../../runner/errors.js';
import { buildPointResult, type Row } from '../../../runner/results/row.js';
import { encodeMessage } from '../../../runner/values/rank-message.js';
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

/** Its ranks have lost each other when the first point is prepared. */
async function loseWorld(told: Told, stop: object): Promise<LoopEnd> {
  const place = { rank: 0, stage: 'prepare', point: 0, iteration: -1, awaitedPeer: -1, ageMs: 0 };
  const lost = {
    ...told.run,
    firstWithoutRow: 0,
    keptExit: 0,
    stop,
    kinds: new Map([['offload', { kind: 'offload', open: async () => ({ close: async () => {} }) }]]),
    faults: { ofKind: () => [], strike: async () => {} },
    log: { ...told.run.log, error: () => {} },
    observers: { ...told.run.observers, pointStarted: () => {} },
    world: {
      info: { rank: 0, worldSize: 1, hostSize: 1 },
      native: { setAbort: () => {}, report: () => {}, liveness: () => [place], deadRank: () => -1 },
      allgatherJson: () => Promise.reject(new RunnerError('E_WORLD_LOST', 'gone')),
    },
  } as unknown as Run;
  return await runPoints(lost);
}

t.test(
  'ranks that lose each other: every point has its row while there is time, which a signal shortens',
  async (t) => {
    const alone = cutRun();
    const end = await loseWorld(alone, { status: 0 });
    t.match(end, {
      exitStatus: 4,
      worldLost: true,
      hurried: false,
      early: { code: 'E_WORLD_LOST', message: /gone/ },
    });
    t.same(alone.rows, all);
    const signalled = cutRun();
    t.match(await loseWorld(signalled, { status: 143, rowsEndAt: Infinity }), {
      exitStatus: 143,
      hurried: true,
    });
    t.same(signalled.rows, all);
    const late = cutRun();
    await loseWorld(late, { status: 143, rowsEndAt: 0 });
    t.same([late.rows, late.warned], [[], [{ firstWithoutRow: 0 }]]);
  },
);

t.test(
  'a rank that leaves alone has the last word: points that it wrote for are not recorded again',
  async (t) => {
    let [answer, asked] = [(_bytes: Buffer[]): void => {}, (): void => {}];
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const told = cutRun(() => new Promise(() => {}));
    const place = { rank: 0, stage: '', point: 0, iteration: -1, awaitedPeer: -1, ageMs: 0 };
    const open = async (): Promise<object> => ({
      measure: async () => [],
      verify: async () => [],
      close: async () => {},
    });
    const run = Object.assign(told.run, {
      firstWithoutRow: 0,
      keptExit: 0,
      stop: { status: 143, signal: 'SIGTERM' },
      kinds: new Map([['offload', { kind: 'offload', columns: [], open }]]),
      faults: { ofKind: () => [], strike: async () => {} },
      world: {
        info: { rank: 0, worldSize: 1, hostSize: 1 },
        native: {
          setAbort: () => {},
          report: () => {},
          liveness: () => [place],
          gather: () => new Promise((resolve) => (asked(), (answer = resolve))),
        },
        allgatherJson: async (own: unknown) => [own],
      },
    }) as unknown as Run;
    Object.assign(run.observers, { pointStarted: () => {}, pointEnded: async () => {}, jobEnded: () => {} });
    const ended = runPoints(run).then(() => 'the run went on');
    await isAsked;
    const rest = abortRest(run, outcome, { endsAt: Infinity });
    answer([encodeMessage(buildPointResult(run.facts, pointOf(0), outcome))]);
    await rest;
    t.same(told.summary, all, 'each once');
    t.same(new Set(told.rows).size, told.rows.length);
    t.equal(await Promise.race([ended, sleep(20, 'it waits for its end')]), 'it waits for its end');
  },
);
