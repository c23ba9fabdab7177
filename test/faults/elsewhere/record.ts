/**
 * Faults that other test files inject, as rows of docs/reliability.md. The assertions stand in the test that is named;
 * a rule test holds that it exists.
 */
export interface FaultElsewhere {
  /** Path of the test file from the project's root. */
  readonly test: string;
  /** Part of its source: the test's title, as it is written there. */
  readonly title: string;
  /** As the end of "a run in which ...". */
  readonly fault: string;
  /** Outcome of the manifest, or what happens instead. */
  readonly end: string;
  readonly status: string;
  /** Whom messages and rows name. */
  readonly named: string;
  readonly rows: string;
  readonly leftovers: string;
}

/** Cells that many rows share. */
export const NOT_RUN = { rows: 'no run folder', leftovers: 'none' } as const;
export const IN_ORDER = { rows: 'one for every point, on every rank', leftovers: 'none' } as const;
