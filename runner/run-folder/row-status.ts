/** How a row ended. */
export const ROW_STATUSES = ['ok', 'wrong', 'failed', 'timeout', 'skipped', 'idle', 'aborted'] as const;

export type RowStatus = (typeof ROW_STATUSES)[number];
