/** The tables of docs/performance.md and docs/bench/*.md, from the CSV: what stands between two markers is generated. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { exchangeLines } from './exchange-table.js';
import { headlineLines } from './headlines.js';
import { highLines } from './high-table.js';
import { nodesLines } from './nodes-table.js';
import { median } from './median.js';
import { provenanceText, readProvenance } from './provenance.js';
import type { Row } from './row.js';
import { sweepLines } from './sweep-table.js';

const MARKER = /<!-- table (\S+) -->\n[\s\S]*?<!-- end -->/g;
const HEADLINES = /<!-- headlines -->\n[\s\S]*?<!-- end -->/;

/** Pages with generated tables: the headline page, and one page for each subject next to the CSV. */
export function tablePages(benchFolder: string): string[] {
  const subjects = readdirSync(benchFolder).filter((name) => name.endsWith('.md'));
  return [
    join(dirname(benchFolder), 'performance.md'),
    ...subjects.sort().map((name) => join(benchFolder, name)),
  ];
}

/** Text of the page with every table as the CSV files have it now, and where and when each was measured. */
export function fillTables(page: string, benchFolder: string): string {
  const provenance = readProvenance(benchFolder);
  return page
    .replace(MARKER, (_text, name: string) => {
      const path = join(benchFolder, `${name}.csv`);
      if (!existsSync(path)) return `<!-- table ${name} -->\n\n_Not measured yet._\n\n<!-- end -->`;
      const table = tableOf(name, readFileSync(path, 'utf8'));
      return `<!-- table ${name} -->\n\n${provenanceText(provenance, name)}\n\n${table}\n<!-- end -->`;
    })
    .replace(HEADLINES, () => {
      const { head, lines } = headlineLines(benchFolder, provenance.tables);
      return `<!-- headlines -->\n\n${markdown(head, lines)}\n<!-- end -->`;
    });
}

export function writeTables(benchFolder: string): void {
  for (const path of tablePages(benchFolder)) {
    writeFileSync(path, fillTables(readFileSync(path, 'utf8'), benchFolder));
  }
}

function tableOf(name: string, csv: string): string {
  const rows = parse(csv, { columns: true }) as Row[];
  if (rows[0] && 'round' in rows[0]) return roundsTable(rows);
  if (rows[0] && !('job_id' in rows[0])) return plainTable(rows);
  if (name.endsWith('-link')) return transportTable(rows);
  if (name.startsWith('moe-models')) return tableFrom(exchangeLines(rows));
  if (name.startsWith('moe-cuda-high')) return tableFrom(highLines(rows));
  if (name.startsWith('host-moe-sweep')) return tableFrom(sweepLines(rows));
  if (name === 'moe-cuda-nodes') return tableFrom(nodesLines(rows));
  const strategies = [...new Set(rows.map((row) => row['strategy_requested'] ?? '').filter(Boolean))];
  const hasTotals = rows.some((row) => row['phase'] === 'total');
  return hasTotals && strategies.length > 1 && !name.includes('quickstart')
    ? pivotTable(rows, strategies)
    : summaryTable(rows);
}

/** A CSV that is a table already. */
function plainTable(rows: readonly Row[]): string {
  return markdown(
    Object.keys(rows[0] ?? {}),
    rows.map((row) => Object.values(row)),
  );
}

/** Rounds of the same variants: a line for each variant, with the medians over rounds of its times and rates. */
function roundsTable(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {}).filter((name) => name !== 'round');
  const isFigure = (name: string): boolean => /_(us|GBps)$/.test(name);
  const keys = columns.filter((name) => !isFigure(name));
  const variants = new Map<string, Row[]>();
  for (const row of rows) {
    const variant = keys.map((key) => row[key]?.padStart(9)).join();
    variants.set(variant, [...(variants.get(variant) ?? []), row]);
  }
  return markdown(
    [...columns, 'rounds'],
    [...variants]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, group]) => [
        ...columns.map((name) =>
          isFigure(name) ? String(median(group.map((row) => Number(row[name])))) : (group[0]?.[name] ?? ''),
        ),
        String(group.length),
      ]),
  );
}

/** One line for each point's blocks, one column a strategy: share of the peak and time. Cold device times where there are any. */
function pivotTable(rows: readonly Row[], strategies: readonly string[]): string {
  const timing = rows.some((row) => row['timing'] === 'event') ? 'event' : 'host';
  const shown = rows.filter((row) => row['phase'] === 'total' && row['timing'] === timing);
  const differing = differingKeys(rows);
  const lines = new Map<string, Map<string, Row>>();
  for (const row of shown) {
    const point = pointText(row, differing.get(row['job_id'] ?? '') ?? new Set());
    const key = [row['job_id'] ?? '', point, row['direction'] ?? ''].join('\n');
    const line = lines.get(key) ?? new Map<string, Row>();
    lines.set(key, line.set(row['strategy_requested'] ?? '', row));
  }
  const head = ['job', 'point', 'direction', ...strategies, 'auto chose', 'wrong'];
  return markdown(
    head,
    [...lines].map(([key, line]) => {
      const wrong = [...line.values()].reduce((sum, row) => sum + Number(row['wrong'] || 0), 0);
      const cells = strategies.map((strategy) => shareText(line.get(strategy)));
      return [...key.split('\n'), ...cells, line.get('auto')?.['strategy_used'] ?? '', String(wrong)];
    }),
  );
}

/** "0.985 of 55.3", or why there is no figure. */
function shareText(row: Row | undefined): string {
  if (row === undefined) return '';
  if (!row['aggregate_pct_of_peak'])
    return row['status'] === 'ok' ? `${fixed(row['t_p50_us'], 0)} us` : (row['status'] ?? '');
  return `${(Number(row['aggregate_pct_of_peak']) / 100).toFixed(3)} of ${fixed(row['aggregate_peak_GBps'], 1)}`;
}

/** hybrid compared with network: how many times faster, and what their network bytes would give by themselves. */
function transportTable(rows: readonly Row[]): string {
  const differing = differingKeys(rows);
  const lines = new Map<string, Map<string, Row>>();
  for (const row of rows) {
    const point = pointText(row, differing.get(row['job_id'] ?? '') ?? new Set());
    const key = [row['job_id'] ?? '', point, phaseText(row)].join('\n');
    const line = lines.get(key) ?? new Map<string, Row>();
    lines.set(key, line.set(row['transport_requested'] ?? '', row));
  }
  const head = [
    'job',
    'point',
    'phase',
    'hybrid p50 us',
    'network p50 us',
    'faster',
    'bound',
    'of bound',
    'wrong',
  ];
  const ratioOf = (line: Map<string, Row>, column: string): number =>
    Number(line.get('network')?.[column]) / Number(line.get('hybrid')?.[column]);
  return markdown(
    head,
    [...lines].map(([key, line]) => {
      const [faster, bound] = [ratioOf(line, 't_p50_us'), ratioOf(line, 'bytes_network')];
      const times = ['hybrid', 'network'].map((transport) => fixed(line.get(transport)?.['t_p50_us'], 0));
      const wrong = [...line.values()].reduce((sum, row) => sum + Number(row['wrong'] || 0), 0);
      const ratios = [faster, bound, faster / bound].map((ratio) => ratio.toFixed(2));
      return [...key.split('\n'), ...times, ...ratios, String(wrong)];
    }),
  );
}

const tableFrom = ({ head, lines }: { head: readonly string[]; lines: string[][] }): string =>
  markdown(head, lines);

const HEAD = ['job', 'point', 'phase', 'strategy', 'p50 us', 'GB/s', 'of peak', 'peak', 'wrong', 'status'];

function summaryTable(rows: readonly Row[]): string {
  const differing = differingKeys(rows);
  const lines = rows.map((row) => [
    row['job_id'] ?? '',
    pointText(row, differing.get(row['job_id'] ?? '') ?? new Set()),
    [phaseText(row), row['direction']].filter(Boolean).join(' '),
    wayText(row),
    fixed(row['t_p50_us'], 1),
    fixed(row['aggregate_GBps'], 2),
    row['aggregate_pct_of_peak'] ? (Number(row['aggregate_pct_of_peak']) / 100).toFixed(3) : '',
    row['peak_source'] ?? '',
    row['wrong'] ?? '',
    [row['status'], row['error_code']].filter(Boolean).join(' '),
  ]);
  return markdown(HEAD, lines);
}

/** The phase, and how it was timed where that was not by the host's clock. */
function phaseText(row: Row): string {
  return [row['phase'], row['timing'] === 'host' ? '' : row['timing']].filter(Boolean).join(' ');
}

/** Strategy and transport: what was asked for, and what ran where that is another. */
function wayText(row: Row): string {
  const asked = [row['strategy_requested'], row['transport_requested']].filter(Boolean).join(', ');
  const ran = [row['strategy_used'], row['transport_used']].filter(Boolean).join(', ');
  return ran === '' || ran === asked ? asked : `${asked}: ${ran}`;
}

/** Of each job: the keys in which its points differ, except the path, which has a column. */
function differingKeys(rows: readonly Row[]): Map<string, Set<string>> {
  const seen = new Map<string, Map<string, Set<string>>>();
  for (const row of rows) {
    const job = seen.get(row['job_id'] ?? '') ?? new Map<string, Set<string>>();
    seen.set(row['job_id'] ?? '', job);
    for (const [key, value] of flatParams(row)) job.set(key, (job.get(key) ?? new Set()).add(value));
  }
  const isDiffering = ([key, values]: [string, Set<string>]): boolean =>
    values.size > 1 && key !== 'strategy' && key !== 'transport';
  return new Map(
    [...seen].map(([job, keys]) => [job, new Set([...keys].filter(isDiffering).map(([key]) => key))]),
  );
}

function flatParams(row: Row): [string, string][] {
  const flatten = (value: unknown, path: string): [string, string][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) => flatten(inner, path === '' ? key : `${path}.${key}`))
      : [[path, typeof value === 'string' ? value : JSON.stringify(value)]];
  return flatten(JSON.parse(row['params'] || '{}'), '');
}

/** The region's size where the job is about blocks, then what differs inside the job. */
function pointText(row: Row, differing: ReadonlySet<string>): string {
  const params = new Map(flatParams(row));
  const [pageSize, innerDim, width] = ['pageSize', 'innerDim', 'dtypeWidthBytes'].map((key) =>
    Number(params.get(`layout.${key}`)),
  );
  const region = (pageSize ?? NaN) * (innerDim ?? NaN) * (width ?? NaN);
  const parts = Number.isNaN(region) ? [] : [region >= 1024 ? `${region / 1024} KiB` : `${region} B`];
  const byRegion = [...differing].some((key) => key.endsWith('ayout.innerDim'));
  for (const key of differing) {
    // Points of several region sizes move as many bytes each, so blocks and pools change along.
    if (byRegion && /ayout\.innerDim$|^blocks$|^pools\./.test(key)) continue;
    parts.push(`${key} ${params.get(key) ?? 'none'}`);
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
