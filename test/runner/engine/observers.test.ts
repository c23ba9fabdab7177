import t from 'tap';
import { RunObservers, type RunObserver } from '../../../runner/engine/observer.js';
import { pointOf, resultOf } from '../../helpers/result-samples.js';

/** Notes what it is told, by name. */
function noting(name: string, notes: string[]): RunObserver {
  const note = (what: string): void => void notes.push(`${name} ${what}`);
  return {
    name,
    pointStarted: (point) => note(`start ${point.index}`),
    rowsMade: (rows) => note(`rows ${rows.length}`),
    pointEnded: async ({ measurements }) => note(`end ${measurements.length}`),
    pointSummarized: ({ rows, isGathered }) => note(`summary ${rows.length} ${isGathered}`),
    jobEnded: () => note('job'),
    close: async ({ sync }) => note(`close ${sync}`),
  };
}

t.test('every observer is told everything, in the order of the list', async (t) => {
  const notes: string[] = [];
  const list = [noting('a', notes), { name: 'silent' }, noting('b', notes)];
  const observers = new RunObservers(list, (perRank) => perRank.flatMap(({ rows }) => rows));
  const result = resultOf(0);
  observers.pointStarted(pointOf());
  await observers.rowsMade(result.rows);
  await observers.pointEnded({ point: pointOf(), measurements: [] });
  observers.pointReported(pointOf(), [result, resultOf(1)], true);
  observers.pointReported(pointOf(), [result], false);
  observers.jobEnded();
  for (const { close } of observers.closings) await close({ sync: true });
  const said = [
    `start ${pointOf().index}`,
    'rows 1',
    'end 0',
    'summary 2 true',
    'summary 1 false',
    'job',
    'close true',
  ];
  t.same(
    notes,
    said.flatMap((what) => [`a ${what}`, `b ${what}`]),
  );
  t.same(
    observers.closings.map(({ name }) => name),
    ['a', 'b'],
  );
});

t.test('without a summary nobody hears of other ranks', async (t) => {
  const notes: string[] = [];
  new RunObservers([noting('a', notes)]).pointReported(pointOf(), [resultOf(0)], true);
  t.same(notes, []);
});

t.test('rows that an observer refuses fail at once, and rows that wait are waited for', async (t) => {
  const refusing: RunObserver = {
    name: 'the rows',
    rowsMade: () => {
      throw new Error('no such column');
    },
  };
  t.throws(() => new RunObservers([refusing]).rowsMade([]), { message: 'no such column' });
  let store = (): void => {};
  const written = new Promise<void>((resolve) => (store = resolve));
  let isStored = false;
  const made = new RunObservers([{ name: 'the rows', rowsMade: () => written }]).rowsMade([]);
  void made.then(() => (isStored = true));
  await Promise.resolve();
  t.equal(isStored, false);
  store();
  await made;
});
