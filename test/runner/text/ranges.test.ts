import t from 'tap';
import { numberList, parseNumberList, rankList } from '../../../runner/text/ranges.js';

t.test('numbers as ranges, and back', async (t) => {
  for (const [numbers, text] of [
    [[0], '0'],
    [[9, 3, 0, 8, 7, 3], '0,3,7-9'],
    [[1, 2], '1-2'],
  ] as const) {
    t.equal(numberList(numbers), text);
    t.same(
      parseNumberList(text, 10),
      [...new Set(numbers)].sort((a, b) => a - b),
    );
  }
  t.equal(rankList([3]), 'rank 3');
  t.equal(rankList([7, 0, 1, 2]), 'ranks 0-2, 7');
  for (const wrong of ['10', '3-1', '', 'a', '1,,2', '0-10', '1 ', '-1', '1e1']) {
    t.equal(parseNumberList(wrong, 10), undefined, wrong);
  }
});
