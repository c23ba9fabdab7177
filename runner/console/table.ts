/** The table at the end of a run, on rank 0: one line a summary row, and below it what went wrong in words. */
import type { Row } from '../results/fields.js';
import type { Terminal } from './terminal.js';
import { TrustNotes } from './trust-notes.js';
import { itemAt, numberAt } from '../values/items.js';
import { textTable } from '../text/table.js';

/** Lines of each sort that are kept: a run of 10 000 points must neither grow nor drown its failures. */
const MAX_LINES = 100;
const MAX_REASONS = 20;

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
  '± %',
  'wrong',
  'status',
];
const RIGHT_ALIGNED = ['p50 us', 'GB/s', '% peak', '± %', 'wrong'];
/** Longest text of columns that could crowd the others out. The point's column gets the remaining width. */
const MAX_WIDTHS: Readonly<Record<string, number>> = { job: 13, phase: 14, direction: 13, strategy: 16 };
const MIN_POINT_WIDTH = 12;
const GAP = 2;

export class ResultTable {
  readonly #good: Line[] = [];
  readonly #bad: Line[] = [];
  /** Of columns that are said below the lines: "job: value". */
  readonly #remarks = new Set<string>();
  readonly #belowColumns: readonly string[];
  /** Why rows are not ok, in words -> how many rows. */
  readonly #reasons = new Map<string, number>();
  readonly #trust = new TrustNotes();
  #count = 0;

  /** `belowColumns`: names of columns whose values are said below the lines, once for each job. */
  constructor(belowColumns: readonly string[] = []) {
    this.#belowColumns = belowColumns;
  }

  /** `sweptText`: the point's swept values in words; `rows`: its summary rows. */
  add(sweptText: string, rows: readonly Row[]): void {
    for (const row of rows) {
      const bad = !['ok', 'idle', 'skipped'].includes(String(row['status']));
      const lines = bad ? this.#bad : this.#good;
      if (lines.length < MAX_LINES)
        lines.push({ sequence: this.#count, cells: toCells(sweptText, row), bad });
      this.#count += 1;
      this.#addReason(row);
      this.#addRemarks(row);
      this.#trust.add(row);
    }
  }

  /** As summary rows: `aggregate_GBps` by the completion time, so the ranks' figures are not added up. */
  render(terminal: Terminal): string {
    const lines = [...this.#good, ...this.#bad].sort((a, b) => a.sequence - b.sequence);
    const widths = columnWidths(lines, terminal.columns);
    const rows = lines.map((line) => {
      const cells = line.cells.map((cell, at) => shorten(cell, numberAt(widths, at)));
      return line.bad && terminal.colors ? cells.map((cell) => `\u001b[31m${cell}\u001b[39m`) : cells;
    });
    const table = textTable(HEAD, rows, { rightAligned: RIGHT_ALIGNED, boldHead: terminal.colors });
    const left = this.#count - lines.length;
    const below = [...this.#reasons].map(([reason, times]) =>
      times > 1 ? `${reason} (${times} rows)` : reason,
    );
    below.unshift(...this.#remarks);
    if (left > 0) below.unshift(`${left} more rows are in summary.csv`);
    return [table, ...below, ...this.#trust.sentences()].join('\n');
  }

  #addRemarks(row: Row): void {
    for (const name of this.#belowColumns) {
      if (row[name] === undefined || this.#remarks.size >= MAX_REASONS) continue;
      this.#remarks.add(`${row['job_id']}: ${name}: ${row[name]}`);
    }
  }

  #addReason(row: Row): void {
    if (row['error_code'] === undefined) return;
    const rank = row['error_rank'] === undefined ? '' : ` on rank ${row['error_rank']}`;
    const words = String(row['error'] ?? '').replaceAll(/\s+/g, ' ');
    const reason = `${row['job_id']} ${row['status']}${rank}: ${row['error_code']}: ${words}`;
    const times = this.#reasons.get(reason);
    if (times !== undefined || this.#reasons.size < MAX_REASONS) this.#reasons.set(reason, (times ?? 0) + 1);
  }
}

function toCells(sweptText: string, row: Row): string[] {
  const text = (name: string): string => String(row[name] ?? '');
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
    decimals(row['noise_pct'], 1),
    text('wrong'),
    text('status'),
  ];
}

function columnWidths(lines: readonly Line[], columns: number): number[] {
  const widths = HEAD.map((name, at) => {
    const longest = Math.max(name.length, ...lines.map((line) => itemAt(line.cells, at).length));
    return Math.min(longest, MAX_WIDTHS[name] ?? Infinity);
  });
  const point = HEAD.indexOf('point');
  const others = widths.reduce((sum, width, at) => (at === point ? sum : sum + width), 0);
  widths[point] = Math.max(MIN_POINT_WIDTH, columns - others - GAP * (HEAD.length - 1));
  return widths;
}

function decimals(value: string | number | undefined, digits: number): string {
  return typeof value === 'number' ? value.toFixed(digits) : '';
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
