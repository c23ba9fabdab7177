/** A run that has ended, with what it left behind, as every check takes it. */
import type { CsvRow } from '../helpers/results.js';
import type { Plan } from './plan.js';
import type { RankFile, Results } from './read-results.js';
import type { Outcome, RankOutcome } from './simulation.js';

export interface Checked {
  readonly outcome: Outcome;
  readonly plan: Plan;
  readonly results: Results;
  violate(what: string): void;
}

export const endedByItself = ({ end }: RankOutcome): boolean =>
  end?.how === 'returned' || end?.how === 'exited';

export const statusOf = ({ end }: RankOutcome): number | undefined =>
  end && 'status' in end ? end.status : undefined;

export const rowsOf = (file: RankFile, point: number): CsvRow[] =>
  file.rows.filter((row) => row['point'] === String(point));

/** Where nothing but the plan's own trouble happens. */
export function isUndisturbed({ second, crash, signal, file, start, freeze }: Plan): boolean {
  return !second && !crash && !signal && !file && !start && (!freeze || freeze.forMs < 700);
}
