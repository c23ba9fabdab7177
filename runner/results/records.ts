/** Rows read back from a CSV file of the same columns. */
import { describeColumn } from './columns-file.js';
import type { ColumnDefinition } from './columns.js';
import { dropMissing, type Fields, type Row } from './fields.js';

/** The row that was written as `record`: numbers are numbers again, empty fields are absent. */
export function rowOfRecord(columns: readonly ColumnDefinition[], record: readonly string[]): Row {
  const fields: Fields<string> = {};
  columns.forEach((column, at) => {
    const text = record[at] ?? '';
    const { type } = describeColumn(column);
    const numeric = text !== '' && (type === 'integer' || type === 'number');
    // A summary row joins what ranks differ in: "1|2" stays a text.
    fields[column.name] = numeric && !Number.isNaN(Number(text)) ? Number(text) : text;
  });
  return dropMissing(fields);
}
