/** The table of dispatch and combine by model: a line for each point, with both calls' times, bytes and rates. */
import type { Row } from './row.js';

const HEAD = [
  'model',
  'tokens',
  'dtype',
  'dispatch us',
  'combine us',
  'dispatch ipc bytes',
  'combine ipc bytes',
  'dispatch GB/s',
  'combine GB/s',
  'wrong',
];

const CALLS = ['dispatch', 'combine'];

const PEAK_HEAD = ['dispatch of peak', 'combine of peak'];

/**
 * Head and lines. Times are "graph / cold by events"; bytes are of all ranks; rates are DeepEP's formula over the time
 * of a graph's call, of the rank with the lowest; shares of a peak stand where one was probed.
 */
export function exchangeLines(rows: readonly Row[]): { head: readonly string[]; lines: string[][] } {
  const points = new Map<string, Row[]>();
  for (const row of rows) points.set(row['point'] ?? '', [...(points.get(row['point'] ?? '') ?? []), row]);
  const hasPeak = rows.some((row) => row['aggregate_pct_of_peak']);
  const head = hasPeak ? [...HEAD, ...PEAK_HEAD] : HEAD;
  return { head, lines: [...points.values()].map((point) => lineOf(point, hasPeak)) };
}

function lineOf(rows: readonly Row[], hasPeak: boolean): string[] {
  const cell = (phase: string, timing: string, column: string, digits: number): string => {
    const row = rows.find((each) => each['phase'] === phase && each['timing'] === timing);
    return row?.[column] ? Number(row[column]).toFixed(digits) : '';
  };
  const { dispatchDtype = '' } = JSON.parse(rows[0]?.['params'] || '{}') as { dispatchDtype?: string };
  const failed = rows.find((row) => row['status'] !== 'ok')?.['status'];
  const times = CALLS.map(
    (call) => failed ?? ['graph', 'event'].map((timing) => cell(call, timing, 't_p50_us', 1)).join(' / '),
  );
  const bytes = CALLS.map((call) => cell(call, 'graph', 'bytes_ipc', 0));
  const rates = CALLS.map((call) => cell(call, 'graph', 'logbw_min_GBps', 1));
  const wrong = rows.reduce((sum, row) => sum + Number(row['wrong'] || 0), 0);
  const point = [rows[0]?.['job_id'] ?? '', rows[0]?.['num_tokens'] ?? '', dispatchDtype];
  const shares = CALLS.map((call) => cell(call, 'graph', 'aggregate_pct_of_peak', 1));
  const percents = shares.map((share) => (share === '' ? '' : `${share} %`));
  return [...point, ...times, ...bytes, ...rates, String(wrong), ...(hasPeak ? percents : [])];
}
