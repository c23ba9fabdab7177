import t from 'tap';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { placeOf, readTextFile, TextFileError, textLines } from '../../../runner/text/text-file.js';
import { run } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

function refusal(path: string, limitBytes = 1000): TextFileError {
  try {
    readTextFile(path, limitBytes);
  } catch (error) {
    if (error instanceof TextFileError) return error;
    throw error;
  }
  throw new Error(`${path} was read`);
}

t.test('a byte order mark is dropped, UTF-16 and other bytes are refused with their place', async (t) => {
  await withTempDir((folder) => {
    const path = join(folder, 'file');
    const write = (...parts: (string | number[])[]) =>
      writeFileSync(
        path,
        Buffer.concat(
          parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
        ),
      );
    write([0xef, 0xbb, 0xbf], 'hé\n');
    t.equal(readTextFile(path, 1000).text, 'hé\n');
    write([0xff, 0xfe], 'h\0');
    t.match(refusal(path), { received: 'UTF-16 text', notText: true });
    write([0xfe, 0xff], '\0h');
    t.match(refusal(path), { received: 'UTF-16 text' }, 'of the other byte order');
    write([0xfe, 0x01]);
    t.match(refusal(path), { received: 'line 1, column 1' }, 'half of a byte order mark');
    for (const [before, column] of [
      ['', 1],
      ['é', 3],
      ['x'.repeat(500), 501],
      ['日'.repeat(100), 301],
    ] as const) {
      write('one\n', before, [0xc3, 0x28], 'more '.repeat(20));
      t.match(refusal(path).received, `line 2, column ${column}`);
    }
    write('cut short ', [0xe6, 0x97]);
    t.match(refusal(path).received, 'line 1, column 11');
  });
});

t.test('what is not a regular file of sane size is refused at once', async (t) => {
  await withTempDir((folder) => {
    t.match(refusal(folder), { received: 'a directory', absent: false });
    t.match(refusal('/dev/null'), { received: 'a device, not a regular file' });
    t.match(refusal(join(folder, 'none')), { absent: true });
    const large = join(folder, 'large');
    writeFileSync(large, 'x'.repeat(1001));
    t.match(refusal(large), { received: '1001 bytes', hint: /at most 1000/ });
    t.match(refusal('/proc/self/maps', 10).received, /bytes$/, 'files that do not know their size too');
    mkdirSync(join(folder, 'inner'));
    t.match(refusal('a\0b'), {
      received: 'ERR_INVALID_ARG_VALUE on opening it',
      hint: 'check the path and its permissions',
    });
  });
});

t.test('a FIFO does not block', async (t) => {
  await withTempDir(async (folder) => {
    const fifo = join(folder, 'fifo');
    t.equal((await run('mkfifo', [fifo])).status, 0);
    t.match(refusal(fifo), { received: 'a FIFO, not a regular file' });
  });
});

t.test('lines: both line ends, blank lines counted and skipped, the last end optional', async (t) => {
  t.same(
    [...textLines('a\r\n\r\n  \nb\n\nc')],
    [
      { text: 'a', number: 1 },
      { text: 'b', number: 4 },
      { text: 'c', number: 6 },
    ],
  );
  t.same([...textLines('a\n')], [{ text: 'a', number: 1 }]);
  t.same([...textLines('\n\r\n')], []);
  t.same(placeOf('ab\ncd', 4), { line: 2, column: 2 });
});
