import { readFileSync, rmSync } from 'node:fs';
import t from 'tap';
import { ManifestFile } from '../../../runner/results/manifest.js';
import { RankCsv } from '../../../runner/results/rank-csv.js';
import { manifestStart, parseCsv, plainColumns, rowsOfPoint } from '../../helpers/result-samples.js';
import { fill, needsMount, withSmallDisk } from '../../helpers/full-disk.js';

const withFullDisk = (body: (folder: string, filler: string) => Promise<void>): Promise<void> =>
  withSmallDisk(64, body);
const skip = needsMount();
const point = (index: number) => rowsOfPoint(3, index);
const pointsIn = (csv: RankCsv): string[] =>
  parseCsv(readFileSync(csv.path, 'utf8')).map((row) => row['point'] ?? '');

t.test('a disk that fills up and is freed before the end loses no row', { skip }, (t) =>
  withFullDisk(async (folder, filler) => {
    const csv = await RankCsv.open(folder, 3, plainColumns);
    await csv.append(point(0));
    t.equal(csv.failure, null);
    fill(filler, folder, 0);
    for (let index = 1; index <= 30; index += 1) await csv.append(point(index));
    t.match(csv.failure, { code: 'E_OUTPUT', message: /rank-0003\.csv.*kept in memory.*ENOSPC.*--out/ });
    const before = pointsIn(csv);
    t.ok(before.length < 31 && before.length > 0);
    t.same(
      before,
      before.map((_row, index) => String(index)),
      'earlier rows are whole',
    );
    t.ok(readFileSync(csv.path, 'utf8').endsWith('\n'), 'nothing torn behind them');
    rmSync(filler);
    await csv.close();
    t.equal(csv.failure, null);
    t.same(
      pointsIn(csv),
      Array.from({ length: 31 }, (_unused, index) => String(index)),
    );
  }),
);

t.test('a disk that stays full: a clear error that holds the rows', { skip }, (t) =>
  withFullDisk(async (folder, filler) => {
    const csv = await RankCsv.open(folder, 3, plainColumns);
    fill(filler, folder, 0);
    for (let index = 0; index < 30; index += 1) await csv.append(point(index));
    const written = pointsIn(csv).length;
    const error = await csv.close().then(
      () => undefined,
      (thrown: { code: string; message: string; text: string }) => thrown,
    );
    t.match(error, { code: 'E_OUTPUT', message: /rank-0003\.csv ends early.*ENOSPC/ });
    const header = readFileSync(csv.path, 'utf8').split('\n')[0] ?? '';
    const kept = parseCsv(`${header}\n${error?.text ?? ''}`).map((row) => row['point']);
    t.same(
      kept,
      Array.from({ length: 30 - written }, (_unused, index) => String(index + written)),
    );
  }),
);

t.test('no room for a header or a manifest', { skip }, (t) =>
  withFullDisk(async (folder, filler) => {
    fill(filler, folder, 0);
    await t.rejects(RankCsv.open(folder, 3, plainColumns), { code: 'E_OUTPUT', message: /ENOSPC/ });
    await t.rejects(ManifestFile.begin(folder, manifestStart), {
      code: 'E_OUTPUT',
      message: /manifest.*ENOSPC/,
    });
  }),
);
