/**
 * A traffic matrix in the form of NIXL's kvbench (`matrix_file`): one line per sender, cells separated by white space,
 * cell j of line i is what i sends to j: a whole number of bytes, or of KiB, MiB, GiB with the letter k, m or g.
 */

/** What is wrong in a matrix, and where. */
export class MatrixIssue extends Error {
  readonly line: number;
  readonly expected: string;
  readonly received: string;

  constructor(line: number, expected: string, received: string) {
    super(`line ${line}: expected ${expected}, received ${received}`);
    this.line = line;
    this.expected = expected;
    this.received = received;
  }
}

export const MATRIX_LIMIT_BYTES = 64 * 2 ** 20;
/** Longest piece of a cell that an error repeats. */
const MOST_SHOWN = 40;

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes by sender and receiver; square. Blank lines at the end are allowed, elsewhere they are an issue. */
export function parseTrafficMatrix(text: string): number[][] {
  const lines = text.split('\n').map((line) => line.trim());
  while (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new MatrixIssue(1, 'a line of cells', 'an empty file');
  return lines.map((line, row) => {
    const cells = line.split(/\s+/u).filter((cell) => cell !== '');
    if (cells.length !== lines.length) {
      throw new MatrixIssue(row + 1, `${lines.length} cells, as many as lines`, `${cells.length}`);
    }
    return cells.map((cell, column) => cellBytes(cell, row + 1, column + 1));
  });
}

function cellBytes(cell: string, line: number, column: number): number {
  const match = /^(\d+)([kmg]?)$/iu.exec(cell);
  const bytes = Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? ''] ?? 1);
  if (match !== null && Number.isSafeInteger(bytes)) return bytes;
  const shown = JSON.stringify(cell.slice(0, MOST_SHOWN));
  throw new MatrixIssue(
    line,
    'whole bytes below 2^53, with k, m or g behind them or nothing',
    `${shown} in cell ${column}`,
  );
}
