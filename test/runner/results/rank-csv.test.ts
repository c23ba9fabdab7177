import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { projectRoot } from '../../../runner/project.js';
import { RankCsv } from '../../../runner/results/rank-csv.js';
import { headerLine, parseCsv, plainColumns, resultOf } from '../../helpers/result-samples.js';
import { start } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const file = (folder: string): string => join(folder, 'rank-0003.csv');

t.test('the header is the columns; rows follow in order, missing values empty', (t) =>
  withTempDir(async (folder) => {
    const csv = await RankCsv.open(folder, 3, plainColumns);
    t.equal(csv.path, file(folder));
    t.equal(readFileSync(csv.path, 'utf8'), headerLine(plainColumns), 'there before the first point');
    const { rows } = resultOf(3);
    await csv.append(rows);
    t.equal(parseCsv(readFileSync(csv.path, 'utf8')).length, 1, 'there as the point ends, before close');
    csv.endJob();
    void csv.append(rows);
    void csv.append([]);
    await csv.close();
    await csv.close();
    const parsed = parseCsv(readFileSync(csv.path, 'utf8'));
    t.equal(parsed.length, 2);
    t.match(parsed[1], { rank: '3', t_p50_us: '20', t_p99_us: '', error: '', wrong: '0', bytes_disk: '' });
    t.same(
      Object.keys(parsed[0] ?? {}),
      plainColumns.map((column) => column.name),
    );
  }),
);

t.test('commas, quotes, newlines and carriage returns come back', (t) =>
  withTempDir(async (folder) => {
    const csv = await RankCsv.open(folder, 3, plainColumns);
    const error = 'open("/a,b"): failed\n  errno 28, "no space"\r\nhint: é → free it';
    await csv.append([{ rank: 3, error, params: '{"a":[1,2],"b":"x"}' }]);
    await csv.close();
    const parsed = parseCsv(readFileSync(csv.path, 'utf8'));
    t.match(parsed, [{ rank: '3', error, params: '{"a":[1,2],"b":"x"}' }]);
  }),
);

t.test('a file that is there is refused and left alone', (t) =>
  withTempDir(async (folder) => {
    writeFileSync(file(folder), 'precious');
    await t.rejects(RankCsv.open(folder, 3, plainColumns), {
      code: 'E_RUN_EXISTS',
      message: /rank-0003\.csv.*--run-id/,
    });
    t.equal(readFileSync(file(folder), 'utf8'), 'precious');
    const gone = join(folder, 'gone');
    await t.rejects(RankCsv.open(gone, 3, plainColumns), { code: 'E_OUTPUT', message: /ENOENT.*--out/ });
    await t.rejects(RankCsv.open(gone, 3, plainColumns, []), {
      code: 'E_OUTPUT',
      message: /rank-0003\.csv cannot be written: ENOENT.*--out/,
    });
  }),
);

t.test('a file that somebody else deletes, cuts or extends is named', (t) =>
  withTempDir(async (folder) => {
    const harms: readonly [RegExp, (path: string) => void, boolean][] = [
      [/rank-0003\.csv was deleted or replaced/, (path) => rmSync(path), false],
      [/rank-0003\.csv was changed .* has 10 bytes/, (path) => truncateSync(path, 10), false],
      [/rank-0003\.csv was changed .* has 10 bytes/, (path) => truncateSync(path, 10), true],
      [/rank-0003\.csv was changed/, (path) => writeFileSync(path, 'x\n', { flag: 'a' }), false],
    ];
    for (const [message, harm, goesOn] of harms) {
      rmSync(file(folder), { force: true });
      const csv = await RankCsv.open(folder, 3, plainColumns);
      await csv.append(resultOf(3).rows);
      harm(csv.path);
      if (goesOn) await csv.append(resultOf(3).rows);
      await t.rejects(csv.close(), { code: 'E_OUTPUT', message });
    }
  }),
);

t.test('a value without a column is refused, not dropped', (t) =>
  withTempDir(async (folder) => {
    const csv = await RankCsv.open(folder, 3, plainColumns);
    t.throws(() => csv.append([{ rank: 3, colour: 'red' }]), { code: 'E_STATE', message: /colour/ });
    await csv.close();
    t.throws(() => csv.append([{ rank: 3 }]), { code: 'E_STATE', message: /closed/ });
    t.equal(readFileSync(csv.path, 'utf8'), headerLine(plainColumns));
  }),
);

t.test('an exit that cannot wait for the disk still has all rows', (t) =>
  withTempDir(async (folder) => {
    const csv = await RankCsv.open(folder, 3, plainColumns);
    for (let point = 0; point < 50; point += 1) void csv.append(resultOf(3).rows);
    await csv.close({ sync: false });
    t.equal(parseCsv(readFileSync(csv.path, 'utf8')).length, 50);
    await setImmediate();
  }),
);

t.test('a writer killed by SIGKILL leaves whole rows, all of them', (t) =>
  withTempDir(async (folder) => {
    const writer = join(projectRoot, 'dist/test/helpers/stalled-rank-writer.js');
    const running = start(process.execPath, [writer, folder]);
    await running.waitFor(/stalled\n/);
    running.child.kill('SIGKILL');
    t.equal((await running.finished).signal, 'SIGKILL');
    const text = readFileSync(join(folder, 'rank-0000.csv'), 'utf8');
    const rows = parseCsv(text);
    t.ok(text.endsWith('\n'), 'the last line is whole');
    t.equal(rows.length, 80, 'both rows of each point');
    t.same(
      rows.map((row) => row['error']),
      rows.map((_row, at) => `1\n2 of ${Math.floor(at / 2)}`),
    );
  }),
);
