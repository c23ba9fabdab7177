/** What must hold of a run that has ended, whatever happened in it. */
import { EXIT } from '../../runner/errors.js';
import { nearestRank, sortSamples } from '../../runner/statistics/samples.js';
import { itemAt } from '../../runner/values/items.js';
import type { CsvRow } from '../helpers/results.js';
import { checkPlanned } from './check-planned.js';
import { endedByItself, rowsOf, statusOf, type Checked } from './checked.js';
import { readResults, type RankFile } from './read-results.js';
import type { Outcome, RankOutcome } from './simulation.js';

/** Asked for by a rank that has come to its first point. */
const FIRST_STAGE = 'report prepare';

/** Returns what does not hold, in sentences. */
export function checkOutcome(outcome: Outcome): string[] {
  const found = [...outcome.violations];
  const { plan } = outcome;
  const checked: Checked = {
    outcome,
    plan,
    results: readResults(outcome),
    violate: (what) => void found.push(what),
  };
  for (const rank of outcome.ranks) checkEnd(checked, rank);
  for (const [rank, file] of checked.results.ranks.entries()) if (file) checkRows(checked, rank, file);
  checkSummary(checked);
  checkManifest(checked);
  checkExits(checked);
  checkStatuses(checked);
  checkPlanned(checked);
  return found;
}

function checkEnd({ plan, violate }: Checked, { rank, end, leftOver, calls }: RankOutcome): void {
  if (end?.how === 'threw') {
    const { error } = end;
    violate(`rank ${rank}: the run rejects: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
  }
  if (end?.how !== 'returned' || plan.file) return;
  // A run that is refused or hurried leaves its files to the kernel.
  const isHurried = plan.signal !== undefined || end.status > EXIT.timeout || !calls.includes(FIRST_STAGE);
  const kept = leftOver.filter((what) => !isHurried || !what.endsWith(' open'));
  if (kept.length > 0) violate(`rank ${rank} returns and leaves ${kept.join(', ')}`);
}

/** One row for each phase of each point, in order, and of what was measured. */
function checkRows({ outcome, plan, violate }: Checked, rank: number, file: RankFile): void {
  const ofRank = itemAt(outcome.ranks, rank);
  const isFaulty = plan.file?.rank === rank;
  if (file.isTorn && !isFaulty) violate(`rank ${rank}: its file ends in the middle of a row`);
  let last = -1;
  const seen = new Set<string>();
  for (const row of file.rows) {
    const point = Number(row['point']);
    const key = `${point} ${row['phase']}`;
    if (seen.has(key)) violate(`rank ${rank}: point ${point} has two rows of phase "${row['phase']}"`);
    seen.add(key);
    if (point < last && !file.isRescued) violate(`rank ${rank}: point ${point} follows point ${last}`);
    last = point;
    const numRows = rowsOf(file, point).length;
    if (Number(row['point_rows']) !== numRows && (endedByItself(ofRank) || !isFaulty))
      violate(`rank ${rank}: point ${point} has ${numRows} rows and says ${row['point_rows']}`);
    checkMeasured({ rank: ofRank, row, violate });
  }
  if (!endedByItself(ofRank) || !ofRank.calls.includes(FIRST_STAGE)) return;
  for (const point of plan.points.keys()) {
    if (rowsOf(file, point).length === 0)
      violate(`rank ${rank} ended by itself and has no row of point ${point}`);
  }
}

function checkMeasured(of: { rank: RankOutcome; row: CsvRow; violate(what: string): void }): void {
  const { rank, row, violate } = of;
  if (row['status'] !== 'ok' && row['status'] !== 'wrong') return;
  const measured = rank.measured.get(Number(row['point']))?.find(({ phase }) => phase === row['phase']);
  if (measured?.state !== 'measured') {
    violate(`rank ${rank.rank}: point ${row['point']} is ${row['status']} without having been measured`);
    return;
  }
  const { samplesUs } = measured;
  if (row['status'] !== 'ok' || samplesUs.length === 0) return;
  const median = nearestRank(sortSamples(samplesUs), 50);
  if (Math.abs(Number(row['t_p50_us']) - median) > 0.06 * Math.max(1, median / 1e4))
    violate(`rank ${rank.rank}: point ${row['point']} measured ${median} us and says ${row['t_p50_us']}`);
}

const WORST_FIRST = ['aborted', 'timeout', 'failed', 'wrong', 'skipped', 'ok', 'idle'];

/** A summary row stands for rows that are in every rank's file, and says the worst of them. */
function checkSummary({ plan, results, violate }: Checked): void {
  for (const row of results.summary ?? []) {
    if (Number(row['ranks_reported']) !== plan.hosts.length) continue;
    const point = Number(row['point']);
    const ofRanks = results.ranks.map((file) => (file ? rowsOf(file, point) : []));
    for (const [rank, rows] of ofRanks.entries()) {
      if (rows.length === 0 && plan.file?.rank !== rank)
        violate(`the summary has point ${point}, and the file of rank ${rank} has not`);
    }
    if (plan.file) continue;
    const alike = ofRanks
      .flat()
      .filter(({ phase }) => phase === '' || row['phase'] === '' || phase === row['phase']);
    const worst = WORST_FIRST.find((status) => alike.some((other) => other['status'] === status));
    if (row['status'] !== worst)
      violate(`the summary says ${row['status']} of point ${point}, rank files ${worst}`);
  }
}

function countsOf(file: RankFile): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status = '' } of file.rows) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function checkManifest({ outcome, plan, results, violate }: Checked): void {
  const { manifest } = results;
  const root = itemAt(outcome.ranks, 0);
  const isFaulty = plan.file?.rank === 0;
  if (!manifest) {
    if (endedByItself(root) && results.ranks[0] && !isFaulty)
      violate('rank 0 ended by itself without a manifest');
    return;
  }
  if (manifest.outcome === 'running') violate('the manifest in place says running');
  if (!endedByItself(root)) {
    if (manifest.outcome === 'ok') checkAllWell({ outcome, plan, results, violate }, 'rank 0 was killed and');
    return;
  }
  // A launcher that ends this rank because another has left does not change how the run went.
  const isEndedLate = (statusOf(root) ?? 0) > EXIT.timeout;
  if (manifest.exitStatus !== statusOf(root) && !isFaulty && !isEndedLate)
    violate(`the manifest says exit ${manifest.exitStatus}, rank 0 leaves with ${statusOf(root)}`);
  if (manifest.outcome === 'ok') checkAllWell({ outcome, plan, results, violate }, 'all is over and');
  for (const [rank, counts] of manifest.statusCounts.entries()) {
    const file = results.ranks[rank];
    if (!file || !endedByItself(itemAt(outcome.ranks, rank)) || plan.file) continue;
    const found = JSON.stringify(Object.entries(countsOf(file)).toSorted());
    if (JSON.stringify(Object.entries(counts).toSorted()) !== found)
      violate(`the manifest counts ${JSON.stringify(counts)} of rank ${rank}, its file has ${found}`);
  }
}

function checkAllWell({ plan, results, violate }: Checked, when: string): void {
  for (const [rank, file] of results.ranks.entries()) {
    for (const point of plan.points.keys()) {
      const rows = file ? rowsOf(file, point) : [];
      const isWell =
        rows.length > 0 && rows.every(({ status = '' }) => ['ok', 'idle', 'skipped'].includes(status));
      if (!isWell) violate(`${when} the manifest says ok; rank ${rank} has no good row of point ${point}`);
    }
  }
}

/** The same on all ranks that could talk to the end. */
function checkExits({ outcome, plan, violate }: Checked): void {
  const ended = outcome.ranks.filter(endedByItself);
  const statuses = new Set(ended.map(statusOf));
  // Ranks that are refused do not tell each other of a signal.
  const isRefused = plan.signal !== undefined && !ended.some(({ calls }) => calls.includes(FIRST_STAGE));
  const isWhole =
    !isRefused && ended.length === outcome.ranks.length && ended.every(({ end }) => end?.how === 'returned');
  // What rank 0 could not write after all had agreed is its own.
  if (isWhole && statuses.size > 1 && !plan.file)
    violate(`ranks return ${ended.map(statusOf).join(', ')}: expected the same of all`);
  if (statuses.has(EXIT.ok) && plan.crash && outcome.ranks[plan.crash.rank]?.end?.how === 'killed') {
    const { atMs } = plan.crash;
    for (const { rank, end } of ended) {
      if (end && 'status' in end && end.status === EXIT.ok && end.atMs > atMs + 40_000)
        violate(`rank ${rank} leaves with 0 long after rank ${plan.crash.rank} died`);
    }
  }
}

const CONCLUSIONS: ReadonlySet<string> = new Set(['failed', 'timeout', 'aborted']);

/** Ranks that could talk conclude the same of every point. */
function checkStatuses({ outcome, plan, results, violate }: Checked): void {
  const isWhole = outcome.ranks.every(({ end }) => end?.how === 'returned');
  if (!isWhole || plan.trouble?.kind === 'nothing') return;
  for (const point of plan.points.keys()) {
    const said = results.ranks.map((file) => {
      const statuses = file ? rowsOf(file, point).map(({ status = '' }) => status) : [];
      return statuses.find((status) => CONCLUSIONS.has(status)) ?? 'well';
    });
    if (new Set(said).size > 1) violate(`ranks conclude of point ${point}: ${said.join(', ')}`);
  }
}
