/** This rank's rows: results/<run-id>/rank-NNNN.csv. */
import { join } from 'node:path';
import type { ColumnDefinition } from './columns.js';
import { CsvFile, type CloseOptions } from './csv-file.js';
import type { Row } from './fields.js';

export function rankFileName(rank: number): string {
  return `rank-${String(rank).padStart(4, '0')}.csv`;
}

export class RankCsv {
  readonly #file: CsvFile;

  private constructor(file: CsvFile) {
    this.#file = file;
  }

  /** `kept`: the rows that stay of a run that is resumed. Rejects with E_RUN_EXISTS or E_OUTPUT. */
  static async open(
    folder: string,
    rank: number,
    columns: readonly ColumnDefinition[],
    kept?: readonly (readonly string[])[],
  ): Promise<RankCsv> {
    const path = join(folder, rankFileName(rank));
    return new RankCsv(await (kept ? CsvFile.resume(path, columns, kept) : CsvFile.open(path, columns)));
  }

  get path(): string {
    return this.#file.path;
  }

  /** Why rows are still in memory; null while all are in the file. */
  get failure(): CsvFile['failure'] {
    return this.#file.failure;
  }

  /** A point's rows, by one write. Resolves when they are in the file or, on failure, kept; never rejects. */
  append(rows: readonly Row[]): Promise<void> {
    return this.#file.append(rows);
  }

  /** At the end of a job: sync behind the rows so far, without waiting for it. */
  endJob(): void {
    this.#file.sync();
  }

  /** Rejects with UnwrittenRowsError (code E_OUTPUT) where rows could not be written to the end. */
  close(options?: CloseOptions): Promise<void> {
    return this.#file.close(options);
  }
}
