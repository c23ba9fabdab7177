import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { gpuSourcesDigest } from '../../scripts/bench/gpu-sources.js';
import { GPU_RUN, joinRecords, recordOfFolder } from '../../scripts/tests/gpu-record.js';
import { run } from '../helpers/run-cli.js';
import { withTempDir } from '../helpers/with-temp-dir.js';

t.test('a folder of TAP becomes a record, with what was skipped and what was cut short', async (t) => {
  await withTempDir((folder) => {
    t.throws(() => recordOfFolder(folder), { code: 'ENOENT' });
    const machine = '2 x NVIDIA H200, driver 580.1';
    const run = { date: '2026-01-02', commit: 'abc1234', gpuSources: 'f', machine };
    writeFileSync(join(folder, GPU_RUN), JSON.stringify(run));
    t.throws(() => recordOfFolder(folder), { message: /NAME\.test\.tap/ });
    const good = 'TAP version 14\nok 1 - copies\nok 2 - four # SKIP needs 4 GPUs\n1..2\n';
    writeFileSync(join(folder, 'moe.test.tap'), good);
    writeFileSync(join(folder, 'faults.test.tap'), 'TAP version 14\nnot ok 1 - hangs\nok 2 - goes on\n');
    const files = recordOfFolder(folder);
    const skipped = ['four: needs 4 GPUs'];
    t.same(files[1], { ...run, name: 'moe', passed: 1, failed: 0, skipped, fault: '' });
    t.match(files[0], { name: 'faults', passed: 1, failed: 1 });
    t.match(files[0]?.fault, /plan/, 'a file that was ended before its plan says so');
    const [faults, moe] = files;
    if (faults === undefined || moe === undefined) throw new Error('expected two files');
    const known = [
      { ...moe, commit: 'old' },
      { ...moe, name: 'peak', commit: 'old' },
    ];
    t.same(
      joinRecords(known, files).map(({ name, commit }) => [name, commit]),
      [
        ['faults', 'abc1234'],
        ['moe', 'abc1234'],
        ['peak', 'old'],
      ],
    );
  });
});

t.test('a run of GPU tests keeps what they wrote, and of what build on which GPUs', async (t) => {
  await withTempDir(async (folder) => {
    const smi =
      '#!/bin/sh\ncase "$*" in *name,driver_version*) echo "NVIDIA H200, 580.1"; echo "NVIDIA L40, 580.1";; *) exit 9;; esac\n';
    writeFileSync(join(folder, 'nvidia-smi'), smi, { mode: 0o755 });
    const env = { PATH: `${folder}:${process.env['PATH']}` };
    const out = join(folder, 'kept');
    const ended = await run(process.execPath, ['dist/scripts/tests/gpu.js', '--out', out, 'cuda/placement'], {
      env,
    });
    const [placement, ...others] = recordOfFolder(out);
    t.same(others, []);
    t.match(placement, {
      name: 'placement',
      failed: 0,
      fault: '',
      gpuSources: gpuSourcesDigest(projectRoot),
    });
    t.equal(placement?.machine, '1 x NVIDIA H200, driver 580.1; 1 x NVIDIA L40, driver 580.1');
    t.match(ended.stdout, /test\/cuda\/placement\.test\.js[^]*\d+ passed, 0 failed/);
    t.equal(ended.status, placement?.passed ? 0 : 1, 'a run in which nothing passed is no success');
    const again = await run(process.execPath, ['dist/scripts/tests/gpu.js', '--out', out, 'cuda/faults'], {
      env,
    });
    t.match(again, {
      status: 3,
      stderr: /--out .*kept: expected an empty folder, found placement\.test\.tap/,
    });
    t.equal(recordOfFolder(out).length, 1, 'nothing of another run joins it');
    const without = await run(
      process.execPath,
      ['dist/scripts/tests/gpu.js', '--out', join(folder, 'none')],
      {
        env: { PATH: join(folder, 'kept') },
      },
    );
    t.match(without, {
      status: 3,
      stderr: /expected nvidia-smi to list the GPUs: .*Run this on a machine with GPUs/,
    });
    t.notOk(existsSync(join(folder, 'none')), 'no folder of a run that did not begin');
  });
});
