/** Files of a run that cannot be made: each names its path, the system's words and what to do. */
import { join } from 'node:path';
import t from 'tap';
import { lockRun } from '../../../runner/engine/run-lock.js';
import { LogFile } from '../../../runner/log.js';
import { writeColumnsFile } from '../../../runner/results/columns-file.js';
import { knownSystemFailure, wordsOf } from '../../../runner/system-failure.js';

type Lock = 'held' | 'taken' | 'unsupported';

/** Answers the calls one after another, the last one again and again. */
function locks(...answers: (Lock | Error)[]): { lockByte: () => Promise<Lock> } {
  return {
    lockByte: async () => {
      const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? 'held';
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

const full = Object.assign(new Error('no space left on device, open'), { code: 'ENOSPC' });

t.test('a folder that is not there, or without space', async (t) => {
  const gone = join(t.testdir(), 'gone');
  await t.rejects(new LogFile().open(gone, 3), {
    code: 'E_OUTPUT',
    message: /gone\/rank-0003\.log cannot be made: ENOENT.*--out/,
  });
  await t.rejects(writeColumnsFile(gone, { schemaVersion: 2 } as never), {
    code: 'E_OUTPUT',
    message: /gone\/columns\.json cannot be written: ENOENT/,
  });
  await t.rejects(lockRun(locks(full), '/runs/x', 1), {
    code: 'E_OUTPUT',
    message: /\/runs\/x\/\S+ cannot be made: ENOSPC: no space left on device, open\. /,
  });
});

t.test('the lock of a run: waited for, refused, or not known to the file system', async (t) => {
  t.equal(await lockRun(locks('taken', 'taken', 'held'), '/runs/x', 1), 'held', 'a run that just ends');
  t.equal(await lockRun(locks('unsupported'), '/runs/x', 1), 'unsupported');
  await t.rejects(lockRun(locks('taken'), '/runs/x', 1, 0), {
    code: 'E_RESUME',
    message: /this run still goes on: another process is its rank 1 .*wait for its end, or end it first/,
  });
});

t.test('failures of the system are told from those of the code', async (t) => {
  t.equal(wordsOf('a text'), 'a text');
  t.equal(wordsOf(full), 'ENOSPC: no space left on device, open');
  t.match(knownSystemFailure(full), { code: 'E_OUTPUT', message: /the system refused a file: ENOSPC/ });
  const asked = (name: string): Error =>
    Object.assign(new Error(`Cannot find package '${name}' imported from x`), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
  t.match(knownSystemFailure(asked('pino')), { message: /Node did not find pino, which is there: EMFILE/ });
  t.equal(knownSystemFailure(asked('no-such-package')), undefined);
  t.equal(knownSystemFailure(Object.assign(new Error('?'), { code: 'ERR_MODULE_NOT_FOUND' })), undefined);
  t.equal(knownSystemFailure(new TypeError('x is not a function')), undefined);
});
