/** The table at the end of a run, on rank 0: one line a summary row. */
import Table from 'cli-table3';
import type { Row } from './fields.js';
import type { Terminal } from './terminal.js';

/** Lines of each sort that are kept: a run of 10 000 points must neither grow nor drown its failures. */
const MAX_LINES = 100;

interface Line {
  /** In order of arrival. */
  readonly sequence: number;
  readonly cells: readonly string[];
  readonly bad: boolean;
}

const HEAD = [
  'job',
  'point',
  'phase',
  'direction',
  'strategy',
  'p50 us',
  'GB/s',
  '% peak',
  'wrong',
  'status',
];
const RIGHT_ALIGNED = new Set(['p50 us', 'GB/s', '% peak', 'wrong']);
/** Longest text of the columns that can be long, at 120 columns. */
const WIDTHS: Readonly<Record<string, number>> = {
  job: 14,
  point: 24,
  phase: 10,
  direction: 13,
  strategy: 11,
};

export class ResultTable {
  readonly #good: Line[] = [];
  readonly #bad: Line[] = [];
  #count = 0;

  /** `sweptText`: the point's swept values in words; `rows`: its summary rows. */
  add(sweptText: string, rows: readonly Row[]): void {
    for (const row of rows) {
      const status = String(row['status']);
      const bad = !['ok', 'idle', 'skipped'].includes(status);
      const lines = bad ? this.#bad : this.#good;
      const line = { sequence: this.#count, cells: toCells(sweptText, row), bad };
      if (lines.length < MAX_LINES) lines.push(line);
      this.#count += 1;
    }
  }

  render(terminal: Terminal): string {
    const lines = [...this.#good, ...this.#bad].sort((a, b) => a.sequence - b.sequence);
    const extraWidth = Math.max(0, terminal.columns - 120);
    const table = new Table({
      head: HEAD,
      colAligns: HEAD.map((name) => (RIGHT_ALIGNED.has(name) ? 'right' : 'left')),
      style: { head: terminal.colors ? ['bold'] : [], border: [], compact: true, 'padding-left': 0 },
      chars: PLAIN_LINES,
    });
    for (const line of lines) {
      const cells = HEAD.map((name, at) => shorten(line.cells[at] as string, widthOf(name, extraWidth)));
      table.push(line.bad && terminal.colors ? cells.map((cell) => `\u001b[31m${cell}\u001b[39m`) : cells);
    }
    const left = this.#count - lines.length;
    const text = table.toString().replace(/ +$/gm, '');
    return `${text}${left > 0 ? `\n${left} more rows are in summary.csv` : ''}`;
  }
}

const PLAIN_LINES = {
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

function toCells(sweptText: string, row: Row): string[] {
  const text = (name: string): string => String(row[name] ?? '');
  const status = row['error_code'] === undefined ? text('status') : `${text('status')} ${text('error_code')}`;
  return [
    text('job_id'),
    sweptText === '' ? `#${text('point')}` : sweptText,
    row['timing'] === undefined || row['timing'] === 'host'
      ? text('phase')
      : `${text('phase')}/${text('timing')}`,
    text('direction'),
    text('strategy_used') || text('strategy_requested'),
    decimals(row['t_p50_us'], 1),
    decimals(row['aggregate_GBps'], 3),
    decimals(row['aggregate_pct_of_peak'], 1),
    text('wrong'),
    status,
  ];
}

function decimals(value: string | number | undefined, digits: number): string {
  return typeof value === 'number' ? value.toFixed(digits) : '';
}

function widthOf(name: string, extraWidth: number): number {
  const width = WIDTHS[name];
  if (width === undefined) return Infinity;
  return name === 'point' ? width + extraWidth : width;
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
