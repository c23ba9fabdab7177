/** What a run that met a fault left behind, compared with what its case says. */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { readCsv, readManifest, readRankRows, type CsvRow } from '../helpers/results.js';
import type { Finished } from '../helpers/run-cli.js';
import type { FaultCase, Rig } from './fault.js';
import { pointsOf, processesWith } from './rig.js';

/** How long what is ending may still be seen. */
const SETTLE_MS = 15_000;

function outcomeOf(rig: Rig): string {
  const manifest = readManifest(rig.folder);
  if (manifest) return manifest.outcome;
  return existsSync(join(rig.folder, 'manifest.json.part')) ? 'running' : 'none';
}

/** Statuses that rows of one point may have together: a point never has two verdicts. */
function verdictsOf(rows: readonly CsvRow[]): Map<string, Set<string>> {
  const verdicts = new Map<string, Set<string>>();
  for (const row of rows) {
    const point = row['point'] ?? '';
    verdicts.set(point, (verdicts.get(point) ?? new Set()).add(row['status'] ?? ''));
  }
  return verdicts;
}

function judgeRows(t: Test, fault: FaultCase, rig: Rig): void {
  const { ending } = fault;
  if (ending.rows === 'none') {
    t.notOk(existsSync(rig.folder), 'a run that never was has no folder');
    return;
  }
  const points = pointsOf(fault.workload);
  const rows = readRankRows(rig.folder);
  t.equal(rows.length, rig.ranks, 'a row file for every rank');
  for (const [rank, own] of rows.entries()) {
    const verdicts = verdictsOf(own);
    const torn = [...verdicts].filter(([, statuses]) => statuses.size > 1);
    t.same(torn, [], `rank ${rank}: no point has two verdicts`);
    if (ending.lostRanks?.includes(rank)) continue;
    if (ending.rows === 'all') t.equal(verdicts.size, points, `rank ${rank}: every point has a row`);
    if (ending.culprit) judgeCulprit(t, ending.culprit, own, rank);
  }
  if (ending.rows === 'all' && !ending.lostRanks?.includes(0)) {
    const summary = new Set(readCsv(join(rig.folder, 'summary.csv')).map((row) => row['point']));
    t.equal(summary.size, points, 'summary.csv has a row for every point');
  }
}

function judgeCulprit(
  t: Test,
  culprit: NonNullable<FaultCase['ending']['culprit']>,
  own: readonly CsvRow[],
  rank: number,
): void {
  const cut = own.filter((row) => /aborted|timeout/.test(row['status'] ?? ''));
  t.ok(cut.length > 0, `rank ${rank}: rows of what was cut short`);
  for (const row of cut) t.equal(row['hung_rank'], String(culprit.rank), `rank ${rank}: ${row['error']}`);
  if (culprit.stage !== undefined) {
    t.equal(cut[0]?.['hung_stage'], culprit.stage, `rank ${rank}: where the culprit was`);
  }
}

/** Files in TMPDIR that no case put there. */
function filesLeft(scratch: string): string[] {
  // Open MPI 4.1.4 leaves an empty folder ompi.HOST.UID of every process that was started without a launcher.
  return readdirSync(scratch, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(scratch, join(entry.parentPath, entry.name)))
    .filter((path) => !/^(out|kept|tools)\/|^spec\.json$/.test(path));
}

async function judgeLeftovers(t: Test, rig: Rig, scratch: string): Promise<void> {
  const endsAt = performance.now() + SETTLE_MS;
  const isSettled = (): boolean => processesWith(rig.out).length === 0 && filesLeft(scratch).length === 0;
  // Daemons of a launcher clean up after themselves a moment after the last rank.
  while (!isSettled() && performance.now() < endsAt) await sleep(50);
  t.same(processesWith(rig.out), [], 'no process is left');
  t.same(filesLeft(scratch), [], 'no file is left in TMPDIR');
  const extra = existsSync(rig.folder)
    ? readdirSync(rig.folder).filter((name) => name.endsWith('.next'))
    : [];
  t.same(extra, [], 'no half-made file is left');
}

export async function judge(
  t: Test,
  fault: FaultCase,
  rig: Rig,
  { ended, scratch }: { readonly ended: Finished; readonly scratch: string },
): Promise<void> {
  const { ending } = fault;
  const said = `${ended.stdout}\n${ended.stderr}`;
  t.notOk(ended.timedOut, `the run came to an end by itself: ${said.slice(-2000)}`);
  t.ok(ending.status.includes(ended.status), `exit ${ended.status}: ${said.slice(-2000)}`);
  t.equal(outcomeOf(rig), ending.outcome, 'outcome of the manifest');
  if (ending.says) t.match(said, ending.says);
  t.notMatch(said, ending.never ?? /\n\s+at .*\.js:\d+/, 'not in the output');
  judgeRows(t, fault, rig);
  await judgeLeftovers(t, rig, scratch);
}
