import t from 'tap';
import { readSelection, selectPoints } from '../../../runner/engine/selection.js';
import { pointOf } from '../../helpers/result-samples.js';

const points = Array.from({ length: 10 }, (_, index) => pointOf(index));
const chosen = (shard?: string, named?: string, variables = {}): number[] =>
  selectPoints(points, readSelection({ shard, points: named }, variables, 10)).map(({ index }) => index);

t.test('shards take every point once', async (t) => {
  const all = ['1/3', '2/3', '3/3'].map((shard) => chosen(shard));
  t.same(all, [
    [0, 3, 6, 9],
    [1, 4, 7],
    [2, 5, 8],
  ]);
  t.same(
    chosen(),
    points.map(({ index }) => index),
  );
  t.same(chosen(undefined, '0,3,7-9'), [0, 3, 7, 8, 9]);
  t.same(chosen('1/3', '0-3'), [0, 3]);
  for (const wrong of ['0/3', '4/3', '1', 'a/b', '1/0', '-1/3', '1/3x', 'SLURM']) {
    t.throws(() => chosen(wrong), { code: 'E_USAGE', message: /--shard: expected I\/N/ }, wrong);
  }
  for (const wrong of ['10', '3-1', '', 'a', '1,,2', '0-10']) {
    t.throws(() => chosen(undefined, wrong), { code: 'E_USAGE', message: /--points: expected/ }, wrong);
  }
});

t.test("Slurm's array places the task, and one with gaps is refused", async (t) => {
  const array = (
    id: string,
    count: string,
    min: string,
    max: string,
    step?: string,
  ): Record<string, string> => ({
    SLURM_ARRAY_TASK_ID: id,
    SLURM_ARRAY_TASK_COUNT: count,
    SLURM_ARRAY_TASK_MIN: min,
    SLURM_ARRAY_TASK_MAX: max,
    ...(step === undefined ? {} : { SLURM_ARRAY_TASK_STEP: step }),
  });
  t.same(chosen('slurm', undefined, array('3', '3', '1', '3')), [2, 5, 8]);
  t.same(chosen('slurm', undefined, array('0', '3', '0', '2')), [0, 3, 6, 9]);
  t.same(chosen('slurm', undefined, array('30', '3', '10', '30', '10')), [2, 5, 8]);
  const refused: [string, Record<string, string>][] = [
    ['nothing is set', {}],
    ['only one is set', { SLURM_ARRAY_TASK_ID: '1' }],
    ['gaps', array('7', '3', '1', '7')],
    ['outside', array('9', '3', '1', '3')],
    ['no number', array('x', '3', '1', '3')],
  ];
  for (const [name, variables] of refused) {
    t.throws(
      () => chosen('slurm', undefined, variables),
      { code: 'E_USAGE', message: /job array without gaps/ },
      name,
    );
  }
  t.same(chosen('2/3', undefined, array('3', '3', '1', '3')), [1, 4, 7], 'what is named wins');
});
