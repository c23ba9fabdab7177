/** A rank's process as its log and /proc show it: for tests that strike one in the middle of its work. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCsv } from './results.js';
import type { Running } from './run-cli.js';
import { parseJson } from './json.js';

/** A loaded machine takes seconds to start four ranks. Looks are counted, not time: ranks that spin can starve them. */
const MOST_LOOKS = 1200;
const LOOK_EVERY_MS = 50;
const TICKS_PER_SECOND = 100;

function fileOf(folder: string, rank: number, ending: 'log' | 'csv'): string {
  return join(folder, `rank-${String(rank).padStart(4, '0')}.${ending}`);
}

/** The id that the rank wrote to its log as it started. */
export function pidOfRank(folder: string, rank: number): number {
  const line = readFileSync(fileOf(folder, rank, 'log'), 'utf8').split('\n')[0] ?? '';
  return parseJson<{ pid: number }>(line).pid;
}

/** User and system time of a process with all its threads. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * Resolves to the rank's process id once it has written rows of `points` points and has since worked for a second of
 * its own time, however slow the machine is: where the next point prepares in far less and measures for far longer, it
 * is measuring.
 */
export async function whenMeasuring(
  running: Running,
  folder: string,
  rank: number,
  points: number,
): Promise<number> {
  const over = { said: '' };
  void running.finished.then(({ stdout, stderr }) => (over.said = `the run ended: ${stdout}${stderr}`));
  let begun: number | undefined;
  for (let looks = 0; looks < MOST_LOOKS && over.said === ''; looks += 1) {
    const csv = fileOf(folder, rank, 'csv');
    const rows = existsSync(csv) ? readCsv(csv) : [];
    if (new Set(rows.map((row) => row['point'])).size >= points) {
      const pid = pidOfRank(folder, rank);
      begun ??= cpuSeconds(pid);
      if (cpuSeconds(pid) - begun > 1) return pid;
    }
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(
    over.said || `rank ${rank} did not measure point ${points} in ${MOST_LOOKS} looks of ${LOOK_EVERY_MS} ms`,
  );
}

/** Resolves once the rank has written rows of `points` points; counts lines, because the rank is still writing. */
export async function untilRows(
  running: Running,
  folder: string,
  rank: number,
  points: number,
): Promise<void> {
  await untilLines(running, fileOf(folder, rank, 'csv'), points);
}

/** Resolves once the summary has a row: only then is a point whole. */
export async function untilSummaryRow(running: Running, folder: string): Promise<void> {
  await untilLines(running, join(folder, 'summary.csv'), 1);
}

async function untilLines(running: Running, csv: string, rows: number): Promise<void> {
  const over = { said: '' };
  void running.finished.then(({ stdout, stderr }) => (over.said = `the run ended: ${stdout}${stderr}`));
  for (let looks = 0; looks < MOST_LOOKS && over.said === ''; looks += 1) {
    if (existsSync(csv) && readFileSync(csv, 'utf8').split('\n').length > rows + 1) return;
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(over.said || `${csv} had not ${rows} rows in ${MOST_LOOKS} looks of ${LOOK_EVERY_MS} ms`);
}
