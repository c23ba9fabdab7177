/** The tables of docs/performance.md, from the CSV beside it: what stands between two markers is generated. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';

type Row = Readonly<Record<string, string>>;

const MARKER = /<!-- table (\S+) -->\n[\s\S]*?<!-- end -->/g;

/** Text of the page with every table as the CSV files have it now. */
export function fillTables(page: string, benchFolder: string): string {
  return page.replace(MARKER, (_text, name: string) => {
    const path = join(benchFolder, `${name}.csv`);
    const table = existsSync(path) ? tableOf(name, readFileSync(path, 'utf8')) : '_not measured yet_\n';
    return `<!-- table ${name} -->\n\n${table}\n<!-- end -->`;
  });
}

export function writeTables(benchFolder: string, pagePath: string): void {
  writeFileSync(pagePath, fillTables(readFileSync(pagePath, 'utf8'), benchFolder));
}

function tableOf(name: string, csv: string): string {
  const rows = parse(csv, { columns: true }) as Row[];
  return name === 'startup' ? plainTable(rows) : summaryTable(rows);
}

/** A CSV that is a table already. */
function plainTable(rows: readonly Row[]): string {
  return markdown(
    Object.keys(rows[0] ?? {}),
    rows.map((row) => Object.values(row)),
  );
}

const HEAD = ['job', 'what', 'phase', 'strategy', 'p50 us', 'GB/s', 'of peak', 'peak', 'wrong', 'status'];

function summaryTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row['job_id'] ?? '',
    sweptOf(row),
    [row['phase'], row['timing'] === 'host' ? '' : row['timing'], row['direction']].filter(Boolean).join(' '),
    row['strategy_used'] || row['strategy_requested'] || row['transport_used'] || '',
    fixed(row['t_p50_us'], 1),
    fixed(row['aggregate_GBps'], 2),
    row['aggregate_pct_of_peak'] ? (Number(row['aggregate_pct_of_peak']) / 100).toFixed(3) : '',
    row['peak_source'] ?? '',
    row['wrong'] ?? '',
    row['status'] ?? '',
  ]);
  return markdown(HEAD, lines);
}

/** What differs inside the job, from the identifying parameters. */
function sweptOf(row: Row): string {
  const params = JSON.parse(row['params'] || '{}') as Record<string, unknown>;
  const layout = (params['layout'] ?? {}) as Record<string, number>;
  const parts: string[] = [];
  if (layout['innerDim']) {
    const region = layout['pageSize']! * layout['innerDim'] * layout['dtypeWidthBytes']!;
    parts.push(`region ${region >= 1024 ? `${region / 1024} KiB` : `${region} B`}`);
  }
  for (const key of [
    'blocks',
    'order',
    'disk',
    'bidirectional',
    'numTokens',
    'dispatchDtype',
    'outputLayout',
    'dedup',
  ]) {
    const value = params[key];
    if (value === undefined || value === false) continue;
    parts.push(`${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
  }
  return parts.join(', ');
}

function fixed(text: string | undefined, digits: number): string {
  return text ? Number(text).toFixed(digits) : '';
}

function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return row(head) + row(head.map(() => '---')) + lines.map(row).join('');
}
