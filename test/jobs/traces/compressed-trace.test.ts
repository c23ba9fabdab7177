/** Request traces in .gz and .zst files: of every shape that the programs write, and damaged. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { peekTrace } from '../../../jobs/traces/peek-trace.js';
import { RunnerError } from '../../../runner/errors.js';
import { mooncakeLine, readWholeTrace } from '../../helpers/traces.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.test('compressed files are told by their bytes; wrong and damaged ones are refused', async (t) => {
  const lines = Array.from({ length: 3000 }, (_, index) => mooncakeLine(index, 20, `${index}`)).join('\n');
  const zipped = gzipSync(lines);
  for (const name of ['t.jsonl.gz', 'trace'])
    t.equal((await readWholeTrace(name, zipped)).requests.length, 3000);
  await t.rejects(readWholeTrace('t.gz', zipped.subarray(0, 3000)), {
    code: 'E_TRACE',
    message: /damaged as gzip/,
  });
  await t.rejects(readWholeTrace('t.gz', lines), {
    message: /expected gzip by its name, received bytes that are not/,
  });
  await t.rejects(readWholeTrace('t.zst', zipped), { message: /expected zstd by its name, received gzip/ });
  await t.rejects(readWholeTrace('t.jsonl', Buffer.from([0xff, 0xfe, 0x41])), { message: /not UTF-8/ });
});

const hasZstd = (() => {
  try {
    return execFileSync('zstd', ['--version']).length > 0;
  } catch {
    return false;
  }
})();

const needsZstd = { skip: hasZstd ? false : 'needs the zstd program' };
const zstd = (text: string, ...options: string[]): Buffer =>
  execFileSync('zstd', ['-q', '-c', ...options], { input: text, maxBuffer: 1 << 28 });
const manyLines = (count: number, first = 0): string =>
  Array.from(
    { length: count },
    (_, index) => `${mooncakeLine(first + index, 20, `${first + index}`)}\n`,
  ).join('');

t.test('zstd, also of several frames', needsZstd, async (t) => {
  const text = manyLines(20_000);
  const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const noBytes = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  const [few, rest] = [manyLines(10), manyLines(19_990, 10)];
  const blankLines = '\n'.repeat(1 << 18);
  const files = {
    whole: [zstd(text)],
    'without a checksum': [zstd(text, '--no-check')],
    'weakly compressed': [zstd(text, '--fast=5')],
    'with a large window': [zstd(text, '-19', '--long=27')],
    'of two frames: of a size in two bytes, and with blocks of one repeated byte': [
      zstd(few, `--stream-size=${few.length}`),
      zstd(`${blankLines}${rest}`),
    ],
    'as pzstd writes them': [skippable, zstd(few), noBytes, zstd(rest)],
    'with an empty frame in front': [zstd(''), zstd(text), zstd('')],
  };
  for (const [name, parts] of Object.entries(files)) {
    t.equal((await readWholeTrace('t.jsonl.zst', Buffer.concat(parts))).requests.length, 20_000, name);
  }
});

t.test('zstd that is damaged', needsZstd, async (t) => {
  const whole = zstd(manyLines(20_000), '--fast=5');
  const flipped = Buffer.from(whole);
  const middle = Math.floor(whole.length / 2);
  flipped.writeUInt8(whole.readUInt8(middle) ^ 1, middle);
  const wrongWindow = Buffer.from(zstd(manyLines(20_000)));
  wrongWindow.writeUInt8(18 << 3, 5);
  const hugeSize = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0]);
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [hugeSize, /expected a window of at most 134217728 bytes, received a frame that needs 1099511627776/],
    [whole.subarray(0, middle), /damaged as zstd: unexpected end of file/],
    [flipped, /damaged as zstd/],
    [Buffer.concat([whole, Buffer.from('and more')]), /received bytes that begin none/],
    [wrongWindow, /expected a window of at most 134217728 bytes, received a frame that needs 268435456/],
  ];
  for (const [bytes, message] of cases)
    await t.rejects(readWholeTrace('t.zst', bytes), { code: 'E_TRACE', message });
});

t.test('the first lines tell format and tokens, compressed or not', needsZstd, async (t) => {
  await withTempDir(async (folder) => {
    const path = join(folder, 'trace');
    const lines = (count: number): string => `${mooncakeLine(0, 32, '1, 2')}\n`.repeat(count);
    // Only the first thousand requests count.
    const text = `${lines(1000)}${mooncakeLine(0, 32, '1')}\n`;
    for (const content of [text, gzipSync(text), zstd(text)]) {
      writeFileSync(path, content);
      t.match(peekTrace(path, undefined), { format: { name: 'mooncake' }, blockTokens: 16 });
      t.match(peekTrace(path, 64), { blockTokens: 64 }, 'unless the user says them');
    }
  });
});

t.test('zstd of which any bit is flipped gives no other trace', needsZstd, async (t) => {
  const text = manyLines(40);
  const whole = zstd(text, '--fast=20');
  const want = JSON.stringify((await readWholeTrace('t.zst', whole)).requests);
  let refused = 0;
  for (let bit = 0; bit < whole.length * 8; bit += 7) {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(whole.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const { requests } = await readWholeTrace('t.zst', flipped).catch((error: unknown) => {
      if (error instanceof RunnerError && error.code === 'E_TRACE') return { requests: null };
      throw error;
    });
    if (requests === null) refused++;
    else t.equal(JSON.stringify(requests), want, `bit ${bit}`);
  }
  t.ok(refused > whole.length, `${refused} refused`);
});
