/** The files that traces lie in: what cannot be read, what is too long, and that none is kept open. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { streamLines } from '../../../jobs/traces/line-stream.js';
import { openTrace } from '../../../jobs/traces/read-trace.js';
import { mooncakeLine } from '../../helpers/traces.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.test('a line that is no request, however long, is not read to its end', async (t) => {
  const piece = Buffer.alloc(65 * 2 ** 20, 'a');
  const lines = streamLines(
    (async function* () {
      yield Buffer.from('one\n');
      yield piece;
      throw new Error('asked for more');
    })(),
    't.jsonl',
  );
  t.same((await lines.next()).value, [{ text: 'one', number: 1 }]);
  await t.rejects(lines.next(), {
    code: 'E_TRACE',
    message: /t\.jsonl, line 2: more than 67108864 characters, expected one request; is this a trace\?/,
  });
});

t.test('what is not there, is not a file or cannot be read is refused', async (t) => {
  await withTempDir(async (folder) => {
    await t.rejects(openTrace(join(folder, 'none')), { code: 'E_TRACE', message: /there is no such file/ });
    writeFileSync(join(folder, 'file'), '');
    await t.rejects(openTrace(join(folder, 'file', 'in')), {
      code: 'E_TRACE',
      message: /expected a request trace, received ENOTDIR: not a directory.*; check the path/,
    });
    // A regular file by what it says, of which no byte can be read.
    await t.rejects(openTrace('/proc/self/mem'), {
      code: 'E_TRACE',
      message: /\/proc\/self\/mem: cannot be read: EIO.*; check that the file is whole/,
    });
    t.equal(opened(`/proc/${process.pid}/mem`), 0, 'and it is closed');
    mkdirSync(join(folder, 'dir'));
    await t.rejects(openTrace(join(folder, 'dir')), { message: /received a directory/ });
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    await t.rejects(openTrace(join(folder, 'fifo')), { message: /not a regular file/ });
  });
});

/** Descriptors of this process that are open on a file. */
function opened(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  }).length;
}

t.test('a file that is refused, or of which nobody reads on, is not kept open', async (t) => {
  await withTempDir(async (folder) => {
    const path = join(folder, 'trace.jsonl');
    // Longer than what is read at once.
    const many = `${mooncakeLine(0, 600, '1, 2')}\n`.repeat(60_000);
    for (const content of [
      `no trace\n${many}`,
      `{"a": 1}\n${many}`,
      `${mooncakeLine(5, 600, '1')}\n${many}`,
    ]) {
      writeFileSync(path, content);
      await t.rejects(openTrace(path), { code: 'E_TRACE' });
      t.equal(opened(path), 0);
    }
    writeFileSync(path, many);
    const trace = await openTrace(path);
    t.equal(opened(path), 1);
    await trace.close();
    t.equal(opened(path), 0, 'nothing was asked for');
    const begun = await openTrace(path, { limit: 5 });
    await begun.requests.next();
    await begun.close();
    t.equal(opened(path), 0);
    // In the first batch of lines, and in a later one.
    for (const limit of [5, 50_000]) {
      const whole = await openTrace(path, { limit });
      let taken = 0;
      for await (const batch of whole.requests) taken += batch.length;
      t.equal(taken, limit);
      t.equal(opened(path), 0);
    }
  });
});
