/** One row of a benchmark's CSV, by what its cells must hold. */
import { valueAt } from '../../runner/job-spec/pointer.js';
import type { Row } from './row.js';

/** Cells that a row must hold; `params` holds dotted keys of the resolved point. */
interface Selection {
  readonly [column: string]: string | Readonly<Record<string, unknown>>;
}

/** The one row of a selection. Throws where there is none or several: a headline must not pick one silently. */
export function pick(rows: readonly Row[], selection: Selection): Row {
  const { params = {}, ...cells } = selection;
  const found = rows.filter((row) => {
    if (Object.entries(cells).some(([column, value]) => row[column] !== value)) return false;
    const own: unknown = JSON.parse(row['params'] || '{}');
    return Object.entries(params).every(
      ([path, value]) => JSON.stringify(valueAt(own, path.split('.'))) === JSON.stringify(value),
    );
  });
  const [row] = found;
  if (row === undefined || found.length > 1) {
    throw new Error(`headline: expected one row of ${JSON.stringify(selection)}, received ${found.length}`);
  }
  return row;
}
