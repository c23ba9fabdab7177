/** The points of a CSV file of a run whose rows are all there, for a run that goes on. */
import { open } from 'node:fs/promises';
import { RunnerError, codeOf } from '../errors.js';
import { readCsvRows, unreadable } from './csv-rows.js';

/** Point -> its rows as they stand in the file. */
export type WholePoints = Map<number, (readonly string[])[]>;

export interface ExpectedFile {
  readonly runId: string;
  readonly specDigest: string;
  /** Names of the columns that the run writes. */
  readonly columns: readonly string[];
}

/**
 * Points with as many rows as each of their rows says (`point_rows`), none of which is `aborted`. Empty where the file
 * is missing or was cut short within its header. Rejects with E_RUN_READ for damage, with E_RESUME for other columns.
 */
export async function readWholePoints(path: string, expected: ExpectedFile): Promise<WholePoints> {
  const points: WholePoints = new Map();
  if (!(await hasHeader(path))) return points;
  const cut = new Set<number>();
  const { columns } = await readCsvRows(path, ['point', 'point_rows', 'status'], (row) => {
    if (row.text('run_id') !== expected.runId || row.text('spec_digest') !== expected.specDigest) {
      throw new RunnerError(
        'E_RESUME',
        `${path}: line ${row.line}: expected rows of run ${expected.runId}, received one of another run or spec; start a new run without --resume`,
      );
    }
    const point = row.count('point');
    const rows = points.get(point) ?? [];
    points.set(point, rows);
    rows.push(row.cells);
    if (row.text('status') === 'aborted' || row.count('point_rows') < rows.length) cut.add(point);
  });
  if (columns.join() !== expected.columns.join()) {
    throw new RunnerError(
      'E_RESUME',
      `${path}: expected the columns that this railrunner writes, received others: ` +
        'resume with the version that began the run, or start a new run',
    );
  }
  const rowsAt = columns.indexOf('point_rows');
  for (const [point, rows] of points) {
    if (cut.has(point) || rows.length < Number(rows[0]?.[rowsAt])) points.delete(point);
  }
  return points;
}

const LONGEST_HEADER_BYTES = 64 * 1024;

async function hasHeader(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'r');
    try {
      const start = Buffer.alloc(LONGEST_HEADER_BYTES);
      const { bytesRead } = await handle.read(start, 0, start.length, 0);
      return start.subarray(0, bytesRead).includes(0x0a);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw unreadable(path, error);
  }
}
