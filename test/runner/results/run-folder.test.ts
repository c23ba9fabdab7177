import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkRunId, claimRunFolder, joinRunFolder, makeRunId } from '../../../runner/results/run-folder.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.test('run ids sort by time and do not meet', async (t) => {
  const at = new Date('2026-01-02T03:04:05.678Z');
  t.match(makeRunId(at), /^20260102T030405Z-[0-9a-f]{8}$/);
  t.not(makeRunId(at), makeRunId(at));
  checkRunId(makeRunId(at));
});

t.test('run ids that leave the folder or trouble a shell are refused', async (t) => {
  for (const runId of ['', '.', '..', 'a/b', '../x', '-rf', 'a b', 'a\nb', 'x'.repeat(101), 'ä']) {
    t.throws(
      () => checkRunId(runId),
      { code: 'E_USAGE', message: /--run-id: expected .*; received "/ },
      runId,
    );
  }
});

t.test('rank 0 claims, the others join', (t) =>
  withTempDir(async (out) => {
    const deep = join(out, 'a', 'b');
    t.equal(await claimRunFolder(deep, 'r1'), join(deep, 'r1'));
    t.equal(await joinRunFolder(deep, 'r1'), join(deep, 'r1'));
    t.equal(await joinRunFolder(join(out, 'other-host'), 'r1'), join(out, 'other-host', 'r1'));
    t.ok(existsSync(join(out, 'other-host', 'r1')));
  }),
);

t.test('a run id that is taken: nothing is touched', (t) =>
  withTempDir(async (out) => {
    mkdirSync(join(out, 'r1'));
    writeFileSync(join(out, 'r1', 'rank-0000.csv'), 'precious');
    await t.rejects(claimRunFolder(out, 'r1'), { code: 'E_RUN_EXISTS', message: /r1.*--run-id/ });
    writeFileSync(join(out, 'r2'), 'a file');
    await t.rejects(claimRunFolder(out, 'r2'), { code: 'E_RUN_EXISTS' });
    t.same(readdirSync(join(out, 'r1')), ['rank-0000.csv']);
    t.equal(readFileSync(join(out, 'r1', 'rank-0000.csv'), 'utf8'), 'precious');
  }),
);

t.test('an output folder that cannot be written', async (t) =>
  withTempDir(async (out) => {
    const file = join(out, 'file');
    writeFileSync(file, '');
    await t.rejects(claimRunFolder(file, 'r1'), { code: 'E_OUTPUT', message: /file\/r1.*--out/ });
    await t.rejects(joinRunFolder(out, 'file'), { code: 'E_OUTPUT', message: /EEXIST/ });
    await t.rejects(joinRunFolder(file, 'r1'), { code: 'E_OUTPUT', message: /ENOTDIR|EEXIST/ });
    await t.rejects(claimRunFolder('/proc/railrunner-test', 'r1'), { code: 'E_OUTPUT' });
  }),
);
