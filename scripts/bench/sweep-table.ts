/** The table of high throughput over models and tokens: a line for each shape and routing, the strategies side by side. */
import type { Row } from './row.js';

const STRATEGIES = ['sparse', 'allGather'];
const PHASES = ['dispatch', 'combine'];

interface Params {
  readonly dispatchDtype?: string;
  readonly numTokens?: number;
  readonly routing?: { readonly kind: string };
}

/** Times are medians of the slowest rank in ms; ratio: allGather over sparse, dispatch and combine together. */
export function sweepLines(rows: readonly Row[]): { head: readonly string[]; lines: string[][] } {
  const lines = new Map<string, Row[]>();
  for (const row of rows.filter((each) => STRATEGIES.includes(each['strategy_requested'] ?? ''))) {
    const { dispatchDtype = '', numTokens = 0, routing } = JSON.parse(row['params'] || '{}') as Params;
    const key = [row['job_id'] ?? '', routing?.kind ?? '', numTokens, dispatchDtype].join('\n');
    lines.set(key, [...(lines.get(key) ?? []), row]);
  }
  const times = STRATEGIES.flatMap((strategy) => PHASES.map((phase) => `${strategy} ${phase} ms`));
  const head = ['job', 'routing', 'tokens', 'dtype', ...times, 'ratio', 'checked', 'wrong'];
  return { head, lines: [...lines].map(([key, group]) => [...key.split('\n'), ...cellsOf(group)]) };
}

function cellsOf(rows: readonly Row[]): string[] {
  const of = (strategy: string): (Row | undefined)[] =>
    PHASES.map((phase) =>
      rows.find((row) => row['strategy_requested'] === strategy && row['phase'] === phase),
    );
  const msOf = (row: Row | undefined): number => (row?.['t_p50_us'] ? Number(row['t_p50_us']) / 1000 : NaN);
  const cells = STRATEGIES.flatMap(of).map((row) =>
    row?.['status'] === 'ok' ? msOf(row).toFixed(2) : (row?.['status'] ?? ''),
  );
  const [sparse = NaN, gathered = NaN] = STRATEGIES.map((strategy) =>
    of(strategy).reduce((sum, row) => sum + msOf(row), 0),
  );
  const ratio = gathered / sparse;
  const total = (column: string): string =>
    String(rows.reduce((sum, row) => sum + Number(row[column] || 0), 0));
  return [...cells, Number.isNaN(ratio) ? '' : ratio.toFixed(2), total('checked'), total('wrong')];
}
