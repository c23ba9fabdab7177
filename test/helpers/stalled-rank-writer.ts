/** A process that writes 40 points and then neither closes nor ends, as a rank in a hung point: argv = folder. */
import { RankCsv } from '../../runner/results/rank-csv.js';
import { plainColumns, rowsOfPoint } from './result-samples.js';

const csv = await RankCsv.open(process.argv[2] as string, 0, plainColumns);
for (let point = 0; point < 40; point += 1) {
  const rows = rowsOfPoint(0, point, { error: `1\n2 of ${point}` });
  await csv.append([...rows, ...rows]);
  csv.endJob();
}
process.stdout.write('stalled\n');
setInterval(() => undefined, 1000);
