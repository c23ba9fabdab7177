/** docs/replicated.svg: time of each strategy, drawn from the summary of the benchmark run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../runner/project.js';

const SOURCE = join('docs', 'bench', 'replicated.csv');
const WIDTH = 860;
const LEFT = 330;
const RIGHT = 120;
const BAR = 16;
const GAP = 6;
const HEAD = 34;
const COLOURS: Readonly<Record<string, string>> = {
  rootBroadcast: '#b4552d',
  pipelined: '#c9a227',
  scatterAllgather: '#2d7fb4',
  independent: '#7a7a7a',
};

interface Bar {
  readonly label: string;
  readonly strategy: string;
  readonly ms: number;
  readonly GBps: number;
}

/** Quoted fields hold commas and doubled quotes. */
function cells(line: string): string[] {
  const found = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map((match) => match[1] ?? '');
  return found.map((cell) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell));
}

function readBars(): Bar[] {
  const [head = '', ...lines] = readFileSync(join(projectRoot, SOURCE), 'utf8').trimEnd().split('\n');
  const names = cells(head);
  const rows = lines.map((line) => Object.fromEntries(cells(line).map((cell, i) => [names[i], cell])));
  return rows.flatMap((row) => {
    const strategy = row['strategy_requested'] ?? '';
    if (row['phase'] !== 'total' || row['status'] !== 'ok' || strategy === 'auto') return [];
    const { maxCtas } = JSON.parse(row['params'] ?? '{}') as { maxCtas?: number | string };
    const ms = Number(row['t_p50_us']) / 1e3;
    const label = `${row['job_id']}, ${maxCtas === 'uncapped' ? 'uncapped' : `${maxCtas} CTAs`}, ${strategy}`;
    return [{ label, strategy, ms, GBps: Number(row['payload_bytes']) / ms / 1e6 / ranksOf(row) }];
  });
}

/** payload_bytes of a summary row is the sum over ranks. */
function ranksOf(row: Readonly<Record<string, string | undefined>>): number {
  return Number(row['ranks_measured'] ?? 1);
}

/** Bars of one job share a scale: jobs differ by an order of magnitude. */
export function replicatedFigure(): string {
  const bars = readBars();
  const jobOf = (bar: Bar): string => bar.label.split(',')[0] ?? '';
  const longest = new Map<string, number>();
  for (const bar of bars) longest.set(jobOf(bar), Math.max(longest.get(jobOf(bar)) ?? 0, bar.ms));
  const lines = bars.map((bar, index) => {
    const y = HEAD + index * (BAR + GAP);
    const width = ((WIDTH - LEFT - RIGHT) * bar.ms) / (longest.get(jobOf(bar)) ?? bar.ms);
    const colour = COLOURS[bar.strategy] ?? '#000';
    const value = `${bar.ms.toFixed(2)} ms, ${bar.GBps.toFixed(0)} GB/s`;
    return [
      `  <text x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${bar.label}</text>`,
      `  <rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
      `  <text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 12}">${value}</text>`,
    ].join('\n');
  });
  const height = HEAD + bars.length * (BAR + GAP) + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="11">`,
    `  <rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    '  <text x="8" y="20" font-size="13">Until every rank has the blocks, and payload over that time; each job has a scale of its own</text>',
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}
