/** Number of rows of a rank by status. */
import { ROW_STATUSES, type RowStatus } from '../run-folder/row-status.js';
import { readWord } from '../values/keys.js';
import type { Row } from './fields.js';

/** Of one rank's rows, added up as points end. */
export class StatusCounts {
  readonly #counts: Partial<Record<RowStatus, number>> = {};

  add(rows: readonly Row[]): void {
    for (const row of rows) {
      const status = readWord(row, 'status', ROW_STATUSES);
      this.#counts[status] = (this.#counts[status] ?? 0) + 1;
    }
  }

  toJSON(): Readonly<Partial<Record<RowStatus, number>>> {
    return { ...this.#counts };
  }
}
