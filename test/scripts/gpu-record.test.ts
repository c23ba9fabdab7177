import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { joinRecords, recordOfFolder } from '../../scripts/tests/gpu-record.js';
import { withTempDir } from '../helpers/with-temp-dir.js';

t.test('a folder of TAP becomes a record, with what was skipped and what was cut short', async (t) => {
  await withTempDir((folder) => {
    t.throws(() => recordOfFolder(folder, 'abc1234', 'f'), { code: 'ENOENT' });
    writeFileSync(join(folder, 'gpus.csv'), 'NVIDIA H200, 580.1\nNVIDIA H200, 580.1\n');
    writeFileSync(join(folder, 'date.txt'), '2026-01-02\n');
    t.throws(() => recordOfFolder(folder, 'abc1234', 'f'), { message: /NAME\.test\.tap/ });
    const good = 'TAP version 14\nok 1 - copies\nok 2 - four # SKIP needs 4 GPUs\n1..2\n';
    writeFileSync(join(folder, 'moe.test.tap'), good);
    writeFileSync(join(folder, 'faults.test.tap'), 'TAP version 14\nnot ok 1 - hangs\nok 2 - goes on\n');
    const files = recordOfFolder(folder, 'abc1234', 'f');
    const machine = '2 x NVIDIA H200, driver 580.1';
    const run = { date: '2026-01-02', commit: 'abc1234', gpuSources: 'f', machine };
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
