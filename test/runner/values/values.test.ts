/** The small readers that code trusts: what is not as expected is said at once, with what was expected and received. */
import t from 'tap';
import { knownCode, messageOf, toRunnerError } from '../../../runner/errors.js';
import { firstOf, itemAt, lastOf, numberAt, oneOf, present, valueOf } from '../../../runner/values/items.js';
import { asJsonObject, isJson, parseJsonObject } from '../../../runner/values/json.js';
import { readFlag, readNumber, readObject, readText, readWord } from '../../../runner/values/keys.js';
import { LastAnswer } from '../../../runner/values/last-answer.js';
import { entriesOf } from '../../../runner/values/objects.js';
import { decodeMessage, encodeMessage } from '../../../runner/values/rank-message.js';

t.test('a key of another type is named with what was expected and received', async (t) => {
  const given = { text: 'a', number: 4, flag: false, word: 'host' };
  t.same(
    [readText(given, 'text'), readNumber(given, 'number'), readFlag(given, 'flag')],
    ['a', 4, false],
    'what fits is taken',
  );
  t.equal(readWord(given, 'word', ['host', 'cuda']), 'host');
  t.same(readObject({ inner: given }, 'inner'), given);
  t.throws(() => readObject({ inner: [1] }, 'inner'), {
    message: 'inner: expected an object, received [1]',
  });
  t.throws(() => readText(given, 'number'), { message: 'number: expected a text, received 4' });
  t.throws(() => readNumber(given, 'text'), { message: 'text: expected a number, received "a"' });
  t.throws(() => readFlag(given, 'absent'), { message: 'absent: expected true or false, received nothing' });
  t.throws(() => readWord(given, 'text', ['host', 'cuda']), {
    message: 'text: expected one of host, cuda, received "a"',
  });
});

t.test('JSON is what JSON has a form for', async (t) => {
  t.ok(isJson({ a: [1, 'x', null, { b: true }] }));
  for (const foreign of [undefined, 1n, { a: [1n] }, { a: { b: undefined } }, () => 1])
    t.notOk(isJson(foreign));
  t.same(asJsonObject({ a: [1] }), { a: [1] });
  t.throws(() => asJsonObject({ a: 1n }), TypeError);
  t.same(parseJsonObject('{"a":1}'), { a: 1 });
  for (const text of ['[1]', 'null', '4'])
    t.throws(() => parseJsonObject(text), { message: `expected a JSON object, received ${text}` });
  t.throws(() => parseJsonObject('{'), SyntaxError);
});

t.test('a key without a value is no entry', async (t) => {
  t.same(entriesOf<'a' | 'b', number | undefined>({ a: undefined, b: 2 }), [['b', 2]]);
});

t.test('an item that is not there is an error at once', async (t) => {
  t.same([firstOf([1, 2]), lastOf([1, 2]), itemAt([1, 2], 1), numberAt(Float64Array.of(3), 0)], [1, 2, 2, 3]);
  t.throws(() => firstOf([]), { message: 'item 0 of 0 items' });
  t.throws(() => lastOf([]), RangeError);
  t.throws(() => numberAt(Float64Array.of(3), 1), { message: 'number 1 of 1 numbers' });
  t.throws(() => valueOf(new Map(), 'rank'), { message: 'no value of rank' });
  t.throws(() => present(undefined, 'the probe'), { message: 'the probe is missing' });
  t.throws(() => oneOf(['host', 'cuda'], 'rocm'), { message: 'rocm is not one of host, cuda' });
});

t.test('what is thrown and no error keeps its words', async (t) => {
  t.equal(messageOf('no memory'), 'no memory');
  t.equal(knownCode('E_TIMEOUT', 'E_JOB'), 'E_TIMEOUT');
  for (const code of ['E_OF_ANOTHER_BUILD', undefined, 7]) t.equal(knownCode(code, 'E_JOB'), 'E_JOB');
  t.match(toRunnerError('no memory'), { code: 'E_JOB', message: 'no memory', cause: 'no memory' });
});

t.test('what another rank sent and is not JSON loses the world, naming the rank', async (t) => {
  t.same(decodeMessage(encodeMessage({ a: [1, 'ä'] }), 3), { a: [1, 'ä'] });
  t.throws(() => decodeMessage(Buffer.from('{"a"'), 3), {
    code: 'E_WORLD_LOST',
    message: 'rank 3 sent 4 bytes, expected JSON. Check that all ranks run the same build',
  });
});

t.test('the last answer is found again for the same owner and key only', async (t) => {
  const answers = new LastAnswer<number>();
  const owner = {};
  let asked = 0;
  const ask = (of: object, key: string): number => answers.of(of, key, () => (asked += 1));
  t.same([ask(owner, 'a'), ask(owner, 'a'), ask(owner, 'b'), ask(owner, 'a'), ask({}, 'a')], [1, 1, 2, 3, 4]);
});
