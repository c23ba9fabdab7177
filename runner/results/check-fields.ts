/** What verification says of one phase. */
import type { Verification } from '../job/measurement.js';

export interface Checked {
  readonly checked: number | undefined;
  readonly wrong: number | undefined;
  readonly firstBad: string | undefined;
}

/** Sums of the verifications that cover this phase; undefined if none does. */
export function checkFields(phase: string, verifications: readonly Verification[]): Checked {
  const mine = verifications.filter((entry) => entry.phase === undefined || entry.phase === phase);
  if (mine.length === 0) return { checked: undefined, wrong: undefined, firstBad: undefined };
  return {
    checked: mine.reduce((sum, entry) => sum + entry.checked, 0),
    wrong: mine.reduce((sum, entry) => sum + entry.wrong, 0),
    firstBad: mine.find((entry) => entry.wrong > 0)?.firstBad,
  };
}

export function wrongDataText(check: Checked): string {
  return `${check.wrong} of ${check.checked} checked values differ; first: ${check.firstBad ?? 'place unknown'}`;
}
