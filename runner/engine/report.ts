/** What rank 0 shows and keeps of all ranks: the summary file, the limits, the table at the end, and progress meanwhile. */
import type { ColumnDefinition } from '../results/columns.js';
import { sweptText } from '../results/params.js';
import { createProgress, type Progress } from '../console/progress.js';
import { standardErrorStream } from '../print.js';
import { rowOfRecord } from '../results/records.js';
import { ProbedLimits } from '../results/probed-limits.js';
import { Summary, summaryColumns } from '../results/summary.js';
import { ResultTable } from '../console/table.js';
import { itemAt } from '../values/items.js';
import type { Terminal } from '../console/terminal.js';
import type { ResolvedSpec } from '../job-spec/types.js';

export interface RunReport {
  readonly summary: Summary;
  readonly limits: ProbedLimits;
  readonly table: ResultTable;
  readonly progress: Progress;
  readonly terminal: Terminal;
}

export interface ReportRequest {
  readonly folder: string;
  /** Header of the rank files. */
  readonly columns: readonly ColumnDefinition[];
  readonly points: ResolvedSpec['points'];
  readonly terminal: Terminal;
  /** Summary records of points that an earlier part of the run measured: they stand in the table too. */
  readonly kept?: readonly (readonly string[])[] | undefined;
}

export async function openReport(wanted: ReportRequest): Promise<RunReport> {
  const { folder, columns, points, terminal, kept } = wanted;
  const limits = new ProbedLimits();
  const table = new ResultTable(columns.filter(({ below }) => below === true).map(({ name }) => name));
  const header = summaryColumns(columns);
  const rows = (kept ?? []).map((record) => rowOfRecord(header, record));
  limits.add(rows);
  for (const row of rows) table.add(sweptText(itemAt(points, Number(row['point'])).swept), [row]);
  const summary = await Summary.open(folder, columns, kept);
  const progress = createProgress(points.length, terminal, standardErrorStream());
  return { summary, limits, table, progress, terminal };
}
