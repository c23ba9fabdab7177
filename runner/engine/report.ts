/** Rank 0's side of the results: the summary file, the table at the end, and progress meanwhile. */
import type { ColumnDefinition } from '../results/columns.js';
import type { CloseOptions } from '../results/csv-file.js';
import { sweptText } from '../results/params.js';
import type { Progress } from '../console/progress.js';
import { createProgress } from '../console/progress.js';
import { standardErrorStream } from '../print.js';
import type { RankPointResult, Row, RowStatus } from '../results/row.js';
import { ProbedLimits } from '../results/probed-limits.js';
import { Summary } from '../results/summary.js';
import { ResultTable } from '../console/table.js';
import type { Terminal } from '../console/terminal.js';
import type { Point } from '../job-spec/types.js';

export class RunReport {
  readonly limits = new ProbedLimits();
  readonly #summary: Summary;
  readonly #progress: Progress;
  readonly #table: ResultTable;
  readonly #terminal: Terminal;

  private constructor(summary: Summary, progress: Progress, terminal: Terminal, table: ResultTable) {
    this.#summary = summary;
    this.#progress = progress;
    this.#terminal = terminal;
    this.#table = table;
  }

  static async open(
    folder: string,
    columns: readonly ColumnDefinition[],
    numPoints: number,
    terminal: Terminal,
    kept?: readonly (readonly string[])[],
  ): Promise<RunReport> {
    return new RunReport(
      await Summary.open(folder, columns, kept),
      createProgress(numPoints, terminal, standardErrorStream()),
      terminal,
      new ResultTable(columns.filter(({ below }) => below === true).map(({ name }) => name)),
    );
  }

  /** Summary rows of points that an earlier part of the run measured: they stand in the table too. */
  keep(points: readonly Point[], rows: readonly Row[]): void {
    this.limits.add(rows);
    for (const row of rows) this.#table.add(sweptText(points[Number(row['point'])]?.swept ?? {}), [row]);
  }

  begin(point: Point): void {
    this.#progress.start(progressOf(point));
  }

  /** One point, from every rank that could still be heard. */
  add(point: Point, perRank: readonly RankPointResult[]): void {
    const rows = this.#summary.add(perRank);
    this.limits.add(rows);
    const words = sweptText(point.swept);
    this.#table.add(words, rows);
    this.#progress.end(progressOf(point), (rows[0]?.['status'] ?? 'aborted') as RowStatus);
  }

  /** A point that this rank alone speaks of, because the run ended before the others could be heard. */
  addUnheard(point: Point, own: RankPointResult): void {
    this.#table.add(sweptText(point.swept), this.#summary.add([own]));
  }

  endJob(): void {
    this.#summary.endJob();
  }

  /** The table, for the end of the run. */
  table(): string {
    return this.#table.render(this.#terminal);
  }

  async close(options?: CloseOptions): Promise<void> {
    this.#progress.stop();
    await this.#summary.close(options);
  }
}

function progressOf(point: Point): { jobId: string; point: number; sweptText: string } {
  return { jobId: point.job.id, point: point.index, sweptText: sweptText(point.swept) };
}
