/**
 * Reads a CSV file of a run row by row, in constant memory. A run that was killed may leave half a row at the end:
 * that row is dropped and reported. Anything else that is not what the writer writes is refused with file and line.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { parse, CsvError, type Parser } from 'csv-parse';
import { messageOf, RunnerError } from '../errors.js';
import { itemAt } from '../values/items.js';

/** Longer than any row that is written: the resolved spec of a point and an error text fit many times over. */
const LARGEST_RECORD_BYTES = 4 * 1024 * 1024;
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** One row; valid only while the callback that received it runs. Missing values are '' and undefined. */
export interface CsvRow {
  /** Line of the file on which the row ends, from 1. */
  readonly line: number;
  /** As they stand in the file, in the order of the columns. Outlives the callback. */
  readonly cells: readonly string[];
  /** The value as written; '' where it is missing or the file has no such column. */
  text(column: string): string;
  /** Throws E_RUN_READ for what is not a finite number. */
  number(column: string): number | undefined;
  /** Throws E_RUN_READ for a missing value and for what is not a whole number from 0. */
  count(column: string): number;
}

export interface CsvContent {
  readonly columns: readonly string[];
  /** Whole rows, without the header. */
  readonly numRows: number;
  /** The file ends in the middle of a row, which was left out. */
  readonly truncated: boolean;
}

/** Calls `onRow` for each whole row, in order. Rejects with E_RUN_READ, or with what `onRow` throws. */
export async function readCsvRows(
  path: string,
  required: readonly string[],
  onRow: (row: CsvRow) => void,
): Promise<CsvContent> {
  const endsWhole = await endsInNewline(path);
  const table = new Table(path, required, onRow);
  // Columns are checked here rather than by the parser, so that a row that was cut short can be distinguished from damage.
  const parser = parse({
    relax_column_count: true,
    max_record_size: LARGEST_RECORD_BYTES,
    on_record: (record: string[], { lines }) => {
      table.add(record, lines);
      return null;
    },
  });
  let quoteOpen = false;
  try {
    await drain(path, parser);
  } catch (error) {
    if (!(error instanceof CsvError)) throw unreadable(path, error);
    if (error.code !== 'CSV_QUOTE_NOT_CLOSED' || endsWhole) {
      throw damaged(path, `line ${table.line + 1}: ${error.message}`);
    }
    quoteOpen = true;
  }
  return table.finish(endsWhole, quoteOpen);
}

/** Holds back one row, since only the next one shows that it was not the last. */
class Table {
  readonly #path: string;
  readonly #required: readonly string[];
  readonly #onRow: (row: CsvRow) => void;
  #columns: readonly string[] | undefined;
  #index = new Map<string, number>();
  #held: { readonly record: readonly string[]; readonly line: number } | undefined;
  #line = 0;
  #numRows = 0;

  constructor(path: string, required: readonly string[], onRow: (row: CsvRow) => void) {
    this.#path = path;
    this.#required = required;
    this.#onRow = onRow;
  }

  /** Of the last row; 0 before the first. */
  get line(): number {
    return this.#line;
  }

  add(record: readonly string[], line: number): void {
    this.#handOn();
    this.#line = line;
    this.#held = { record, line };
  }

  finish(endsWhole: boolean, quoteOpen: boolean): CsvContent {
    if (endsWhole || quoteOpen) this.#handOn();
    const truncated = !endsWhole && (quoteOpen || this.#held !== undefined);
    if (this.#columns === undefined) throw damaged(this.#path, 'expected a header line, received none');
    return { columns: this.#columns, numRows: this.#numRows, truncated };
  }

  #handOn(): void {
    if (this.#held === undefined) return;
    const { record, line } = this.#held;
    this.#held = undefined;
    if (this.#columns === undefined) {
      this.#takeHeader(record);
      return;
    }
    if (record.length !== this.#columns.length) {
      throw damaged(
        this.#path,
        `line ${line}: expected ${this.#columns.length} fields, received ${record.length}`,
      );
    }
    this.#numRows += 1;
    this.#onRow(new Row(this.#path, line, record, this.#index));
  }

  #takeHeader(record: readonly string[]): void {
    this.#index = new Map(record.map((name, at) => [name, at]));
    if (this.#index.size !== record.length) throw damaged(this.#path, 'two columns have the same name');
    const missing = this.#required.filter((name) => !this.#index.has(name));
    if (missing.length > 0) {
      throw damaged(
        this.#path,
        `expected the columns ${this.#required.join(', ')}; missing ${missing.join(', ')}`,
      );
    }
    this.#columns = record;
  }
}

class Row implements CsvRow {
  readonly line: number;
  readonly cells: readonly string[];
  readonly #path: string;
  readonly #index: ReadonlyMap<string, number>;

  constructor(path: string, line: number, record: readonly string[], index: ReadonlyMap<string, number>) {
    this.line = line;
    this.#path = path;
    this.cells = record;
    this.#index = index;
  }

  text(column: string): string {
    const at = this.#index.get(column);
    return at === undefined ? '' : itemAt(this.cells, at);
  }

  number(column: string): number | undefined {
    const text = this.text(column);
    if (text === '') return undefined;
    const value = NUMBER.test(text) ? Number(text) : NaN;
    if (!Number.isFinite(value)) throw this.#unexpected(column, 'a number', text);
    return value;
  }

  count(column: string): number {
    const value = this.number(column);
    if (value === undefined || !Number.isSafeInteger(value) || value < 0) {
      throw this.#unexpected(column, 'a whole number from 0', this.text(column));
    }
    return value;
  }

  #unexpected(column: string, expected: string, received: string): RunnerError {
    return damaged(
      this.#path,
      `line ${this.line}, column ${column}: expected ${expected}, received ${JSON.stringify(received.slice(0, 80))}`,
    );
  }
}

async function drain(path: string, parser: Parser): Promise<void> {
  const input = createReadStream(path);
  try {
    await new Promise<void>((resolve, reject) => {
      input.on('error', reject);
      parser.on('error', reject).on('end', resolve).resume();
      input.pipe(parser);
    });
  } finally {
    input.destroy();
  }
}

/** True for an empty file too: nothing was cut. Rejects with E_RUN_READ where there is no such file. */
async function endsInNewline(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'r');
    try {
      const facts = await handle.stat();
      if (!facts.isFile()) throw damaged(path, 'expected a file');
      if (facts.size === 0) return true;
      const last = Buffer.alloc(1);
      await handle.read(last, 0, 1, facts.size - 1);
      return last[0] === 0x0a;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** What the system says of a file or folder of a run; an error of this project stays as it is. */
export function unreadable(path: string, error: unknown): RunnerError {
  if (error instanceof RunnerError) return error;
  const message = `${path} cannot be read: ${messageOf(error)}; check its path and permissions`;
  return new RunnerError('E_RUN_READ', message, { cause: error });
}

export function damaged(path: string, what: string): RunnerError {
  return new RunnerError('E_RUN_READ', `${path}: ${what}; measure again, or leave this run out`);
}
