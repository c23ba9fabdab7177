/** The table of high-throughput dispatch and combine on GPUs: a line for each point, with both calls' times and shares. */
import type { Row } from './row.js';

const HEAD = ['job', 'tokens', 'dtype', 'layout', 'strategy', 'SMs'];
const CALL_HEAD = ['us', 'of peak'];
const CALLS = ['dispatch', 'combine'];

interface Params {
  readonly dispatchDtype?: string;
  readonly outputLayout?: string;
}

/** Times are "graph / cold by events / host clock" of the slowest rank; the share is of the first of these that there is. */
export function highLines(rows: readonly Row[]): { head: readonly string[]; lines: string[][] } {
  const points = new Map<string, Row[]>();
  for (const row of rows) points.set(row['point'] ?? '', [...(points.get(row['point'] ?? '') ?? []), row]);
  const head = [...HEAD, ...CALLS.flatMap((call) => CALL_HEAD.map((name) => `${call} ${name}`)), 'wrong'];
  return { head, lines: [...points.values()].map(lineOf) };
}

function lineOf(rows: readonly Row[]): string[] {
  const [first = {}] = rows;
  const { dispatchDtype = '', outputLayout = '' } = JSON.parse(first['params'] || '{}') as Params;
  const used = first['strategy_used'] ?? '';
  const point = [first['job_id'], first['num_tokens'], dispatchDtype, outputLayout, used, first['sms']];
  const wrong = rows.reduce((sum, row) => sum + Number(row['wrong'] || 0), 0);
  const calls = CALLS.flatMap((call) => callCells(rows.filter((row) => row['phase'] === call)));
  return [...point.map((cell) => cell ?? ''), ...calls, String(wrong)];
}

function callCells(rows: readonly Row[]): string[] {
  const failed = rows.find((row) => row['status'] !== 'ok');
  if (failed !== undefined) return [failed['status'] ?? '', ''];
  const timed = ['graph', 'event', 'host'].map((timing) => rows.find((row) => row['timing'] === timing));
  const times = timed.map((row) => (row?.['t_p50_us'] ? Number(row['t_p50_us']).toFixed(1) : '-'));
  const share = timed.find((row) => row?.['aggregate_pct_of_peak'])?.['aggregate_pct_of_peak'];
  return [times.join(' / '), share === undefined ? '' : (Number(share) / 100).toFixed(3)];
}
