/** Figures as people read them in reports. */
import t from 'tap';
import { changeText, ratioText, threeDigits, timeText } from '../../../runner/report/numbers.js';

t.test('three digits, at any size', async (t) => {
  const cases: [number | undefined, string][] = [
    [undefined, ''],
    [0, '0'],
    [0.0004, '4.00e-4'],
    [0.1234, '0.123'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [1234, '1234'],
    [-12_345_678, '-1.23e+7'],
  ];
  for (const [value, text] of cases) t.equal(threeDigits(value), text);
});

t.test('times and changes with their units', async (t) => {
  t.same([12.34, 12_340, 1.5e6, undefined].map(timeText), ['12.3 us', '12.3 ms', '1.50 s', '']);
  t.same([12.34, -0.5, 250, undefined].map(changeText), ['+12.3 %', '-0.5 %', '+250 %', '']);
  t.same([1.1, 1, undefined].map(ratioText), ['+10.0 %', '+0.0 %', '']);
});
