/** The table of paths between nodes of GPUs: a line for each point and call, the paths side by side. */
import type { Row } from './row.js';

const HEAD = ['point', 'call', 'hybrid us', 'network us', 'faster', 'bound', 'forwarded us', 'wrong'];

interface Params {
  readonly dispatchDtype: string;
  readonly numTokens: number;
  readonly numProxies: number | 'auto';
  readonly dedup: string;
  readonly transport: string;
}

type NodePath = 'hybrid' | 'network' | 'forwarded';

/**
 * Head and lines. Times are "graph / cold by events" of the slowest rank. faster: network over hybrid, bound: the same
 * of their bytes over the network.
 */
export function nodesLines(rows: readonly Row[]): { head: readonly string[]; lines: string[][] } {
  const lines = new Map<string, Row[]>();
  for (const row of rows) {
    const key = [pointOf(paramsOf(row)), row['phase'] ?? ''].join('\n');
    lines.set(key, [...(lines.get(key) ?? []), row]);
  }
  return { head: HEAD, lines: [...lines].map(([key, group]) => [...key.split('\n'), ...cellsOf(group)]) };
}

function cellsOf(rows: readonly Row[]): string[] {
  const rowsOf = (path: NodePath): Row[] => rows.filter((row) => pathOf(paramsOf(row)) === path);
  const figure = (path: NodePath, timing: string, column: string): number =>
    Number(rowsOf(path).find((row) => row['timing'] === timing)?.[column] || NaN);
  const times = (path: NodePath): string => {
    const failed = rowsOf(path).find((row) => row['status'] !== 'ok')?.['status'];
    if (failed !== undefined) return failed;
    const both = ['graph', 'event'].map((timing) => figure(path, timing, 't_p50_us'));
    return both.some(Number.isNaN) ? '' : both.map((us) => us.toFixed(us < 100 ? 1 : 0)).join(' / ');
  };
  const ratio = (timing: string, column: string): string => {
    const share = figure('network', timing, column) / figure('hybrid', timing, column);
    return Number.isNaN(share) ? '' : share.toFixed(2);
  };
  const faster = ['graph', 'event'].map((timing) => ratio(timing, 't_p50_us'));
  const wrong = rows.reduce((sum, row) => sum + Number(row['wrong'] || 0), 0);
  return [
    times('hybrid'),
    times('network'),
    faster.join(' / '),
    ratio('graph', 'bytes_network'),
    times('forwarded'),
    String(wrong),
  ];
}

const paramsOf = (row: Row): Params => JSON.parse(row['params'] || '{}') as Params;

const pathOf = ({ dedup, transport }: Params): NodePath =>
  dedup === 'node' ? 'forwarded' : transport === 'network' ? 'network' : 'hybrid';

function pointOf({ dispatchDtype, numTokens, numProxies, dedup }: Params): string {
  const words = [dispatchDtype, `${numTokens} tokens`];
  if (numProxies !== 'auto') words.push(`numProxies ${numProxies}`);
  if (dedup === 'off') words.push('dedup off');
  return words.join(', ');
}
