/** Tables of printed text: columns with gaps between them and no lines around. */
import Table from 'cli-table3';

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  right: '',
  'right-mid': '',
  mid: '',
  'mid-mid': '',
  middle: ' ',
};

export interface TableStyle {
  /** Names of columns with numbers. */
  readonly rightAligned?: readonly string[];
  readonly boldHead?: boolean;
}

/** A line for the head and one for each row, without trailing blanks. */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { rightAligned = [], boldHead = false }: TableStyle = {},
): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((name) => (rightAligned.includes(name) ? 'right' : 'left')),
    style: { head: boldHead ? ['bold'] : [], border: [], compact: true, 'padding-left': 0 },
    chars: NO_LINES,
  });
  for (const row of rows) table.push([...row]);
  return table.toString().replaceAll(/ +$/gm, '');
}
