/** What must come of a plan: of each trouble what docs/errors.md says, of each death the name of the dead. */
import { EXIT } from '../../runner/errors.js';
import { itemAt } from '../../runner/values/items.js';
import type { CsvRow } from '../helpers/results.js';
import { endedByItself, isUndisturbed, rowsOf, statusOf, type Checked } from './checked.js';
import { expectedExit, expectedPoint, troubledPoint, type ExpectedPoint } from './expected.js';
import type { PlannedPoint, Trouble } from './plan.js';

export function checkPlanned(checked: Checked): void {
  if (isUndisturbed(checked.plan)) checkTrouble(checked);
  checkDeath(checked);
  checkSignal(checked);
  checkStart(checked);
  checkFreeze(checked);
}

/** Every row of every rank is known beforehand. */
function checkTrouble(checked: Checked): void {
  const { outcome, plan, results, violate } = checked;
  const { trouble } = plan;
  // What a launcher does to ranks whose peer left in order with a status comes after all are done.
  const expected = expectedPoint(plan);
  const troubled = troubledPoint(plan);
  if (trouble?.kind === 'slow' || (trouble?.kind === 'closeHangs' && troubled === undefined)) return;
  for (const rank of outcome.ranks) {
    const exit = expectedExit(plan);
    // Where a thread is stuck ranks leave without MPI_Finalize, and a launcher ends the others for it.
    const isLeft = expected?.own === 'E_STUCK' && plan.launcher !== 'srun';
    if (statusOf(rank) !== exit && !isLeft)
      violate(`rank ${rank.rank} ends with ${JSON.stringify(rank.end)}, expected ${exit}`);
    const file = results.ranks[rank.rank];
    if (!file) {
      violate(`rank ${rank.rank} made no file`);
      continue;
    }
    for (const [index, point] of plan.points.entries()) {
      const rows = rowsOf(file, index);
      const place = `rank ${rank.rank}, point ${index}`;
      if (expected && trouble && index === troubled)
        checkTroubled(rows, { expected, trouble, rank: rank.rank }, place, violate);
      else if (expected?.isFatal === true && trouble && troubled !== undefined && index > troubled)
        checkAborted(rows, expected, trouble, place, violate);
      else
        checkGood(
          rows,
          { point, rank: rank.rank, trouble: trouble?.point === index ? trouble : undefined },
          place,
          violate,
        );
    }
  }
}

interface TroubledRank {
  readonly expected: ExpectedPoint;
  readonly trouble: Trouble;
  readonly rank: number;
}

function checkTroubled(
  rows: readonly CsvRow[],
  { expected, trouble, rank }: TroubledRank,
  place: string,
  violate: (what: string) => void,
): void {
  const { status, own, others, namesHungRank } = expected;
  const code = rank === trouble.rank ? own : others;
  const stage = trouble.kind === 'closeHangs' ? 'prepare' : trouble.stage;
  for (const row of rows) {
    if (row['status'] !== status) violate(`${place} is ${row['status']}, expected ${status}`);
    // A rank that ran into its own deadline says so.
    const isOwnDeadline = code === 'E_STUCK' && row['error_code'] === 'E_TIMEOUT' && rank !== trouble.rank;
    if (row['error_code'] !== code && !isOwnDeadline)
      violate(`${place} says ${row['error_code']} (${row['error']}), expected ${code}`);
    const named = namesHungRank ? String(trouble.rank) : '';
    if (row['hung_rank'] !== named)
      violate(`${place} names rank "${row['hung_rank']}" as hung, expected "${named}"`);
    if (status === 'timeout' && row['hung_stage'] !== stage)
      violate(`${place} names ${row['hung_stage']} as the stage, expected ${stage}`);
  }
}

function checkAborted(
  rows: readonly CsvRow[],
  { own }: ExpectedPoint,
  { rank }: Trouble,
  place: string,
  violate: (what: string) => void,
): void {
  for (const row of rows) {
    if (row['status'] !== 'aborted' || row['error_code'] !== own || row['hung_rank'] !== String(rank))
      violate(
        `${place} is ${row['status']} ${row['error_code']} of rank ${row['hung_rank']}, expected aborted ${own} of ${rank}`,
      );
  }
}

function checkGood(
  rows: readonly CsvRow[],
  { point, rank, trouble }: { point: PlannedPoint; rank: number; trouble: Trouble | undefined },
  place: string,
  violate: (what: string) => void,
): void {
  if (trouble?.kind === 'nothing' && trouble.rank === rank) {
    const [row] = rows;
    if (row?.['status'] !== 'failed' || row['error_code'] !== 'E_JOB')
      violate(`${place} measured nothing and says ${row?.['status']}`);
    return;
  }
  const isWrong = trouble?.kind === 'wrong' && trouble.rank === rank;
  for (const [phase, roles] of point.roles.entries()) {
    const role = itemAt(roles, rank);
    const expected = role === 'measured' ? (isWrong ? 'wrong' : 'ok') : role;
    const found = rows.find((row) => row['phase'] === `phase${phase}`)?.['status'];
    if (found !== expected) violate(`${place}, phase ${phase} is ${found}, expected ${expected}`);
  }
}

/** Where the launcher lets them live, all others name the rank that died. */
function checkDeath({ outcome, plan, results, violate }: Checked): void {
  const { crash, signal, trouble, file, start } = plan;
  if (!crash || signal || trouble || file || start || plan.launcher !== 'srun') return;
  for (const rank of outcome.ranks) {
    if (rank.rank === crash.rank || rank.end?.how !== 'exited') continue;
    for (const row of results.ranks[rank.rank]?.rows ?? []) {
      if (row['status'] !== 'aborted') continue;
      const isDead = row['error_code'] === 'E_PEER_DEAD' && row['hung_rank'] === String(crash.rank);
      // A call of a kind's own may pass its deadline before 15 s of silence between hosts have.
      const isLate =
        row['error_code'] === 'E_WORLD_LOST' && ['', String(crash.rank)].includes(row['hung_rank'] ?? '');
      if (!isDead && !isLate)
        violate(
          `rank ${rank.rank}, point ${row['point']}: ${row['error_code']} of rank ${row['hung_rank']} (${row['error']}), expected E_PEER_DEAD of ${crash.rank}`,
        );
    }
  }
}

const STATUS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGUSR1: EXIT.terminated } as const;

/** A signal alone: all ranks leave with its status, in time, with the same points measured. */
function checkSignal({ outcome, plan, results, violate }: Checked): void {
  const { crash, signal, trouble, file, start, freeze } = plan;
  if (!signal || crash || trouble || file || start || freeze) return;
  const expected = STATUS[signal.signal];
  for (const rank of outcome.ranks) {
    const status = statusOf(rank);
    const isBefore = rank.end !== undefined && rank.end.atMs < signal.atMs + 50;
    if (rank.end?.how === 'killed' && results.ranks[rank.rank] && rank.end.signal === 'SIGKILL')
      violate(
        `rank ${rank.rank} is killed ${(rank.end.atMs - signal.atMs).toFixed(0)} ms after ${signal.signal}`,
      );
    if (
      endedByItself(rank) &&
      status !== expected &&
      !(status === EXIT.ok && isBefore) &&
      results.ranks[rank.rank] !== undefined &&
      hasAborted(results.ranks[rank.rank]?.rows)
    )
      violate(`rank ${rank.rank} leaves with ${status} after ${signal.signal}`);
    for (const row of results.ranks[rank.rank]?.rows ?? []) {
      const code = row['error_code'];
      if (row['status'] === 'aborted' && code !== 'E_INTERRUPTED' && code !== 'E_PEER_DEAD')
        violate(
          `rank ${rank.rank}, point ${row['point']}: ${row['error_code']} (${row['error']}), expected E_INTERRUPTED`,
        );
    }
  }
}

const hasAborted = (rows: readonly CsvRow[] | undefined): boolean =>
  (rows ?? []).some(({ status }) => status === 'aborted');

/** A pause that is shorter than the silence of a dead rank may take a point beyond its deadline, and never the world. */
function checkFreeze({ outcome, plan, violate }: Checked): void {
  const { freeze, trouble, second, crash, signal, file, start } = plan;
  if (!freeze || trouble || second || crash || signal || file || start) return;
  for (const rank of outcome.ranks) {
    const status = statusOf(rank);
    if (status !== EXIT.ok && status !== EXIT.timeout)
      violate(`rank ${rank.rank} ends with ${JSON.stringify(rank.end)} after a pause of rank ${freeze.rank}`);
  }
}

/** A start that fails on one rank ends all alike, before the first point. */
function checkStart({ outcome, plan, violate }: Checked): void {
  const { start, crash, signal, file, freeze } = plan;
  if (!start || crash || signal || file || freeze) return;
  const statuses = outcome.ranks.map(statusOf);
  if (new Set(statuses).size > 1 || statuses[0] === EXIT.ok || statuses[0] === EXIT.fatal)
    violate(
      `ranks leave with ${statuses.join(', ')} after rank ${start.rank} failed at the start (${start.kind})`,
    );
  for (const { rank, end } of outcome.ranks) {
    if (end?.how !== 'returned') violate(`rank ${rank} did not leave in order: ${JSON.stringify(end)}`);
  }
}
