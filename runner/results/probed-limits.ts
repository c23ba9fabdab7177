/** The limits that a run probed, for the manifest: one entry for each job, phase and direction. */
import type { Row } from './fields.js';

export interface ProbedLimit {
  readonly job: string;
  readonly phase: string;
  readonly direction: string;
  /** What was probed, as `peak_source` says it. */
  readonly source: string;
  /** Ranks that were active together. */
  readonly ranks: number;
  /** Points of the job that probed it. */
  readonly points: number;
  /** Of all ranks together, GB/s: the smallest and the largest of these points. */
  readonly minGBps: number;
  readonly maxGBps: number;
}

export class ProbedLimits {
  readonly #limits = new Map<string, ProbedLimit>();

  /** Rows of the summary: fresh ones, and those of an earlier part of the run. */
  add(rows: readonly Row[]): void {
    for (const row of rows) {
      const GBps = Number(row['aggregate_peak_GBps'] ?? '');
      if (!(GBps > 0)) continue;
      const text = (name: string): string => String(row[name] ?? '');
      const names = {
        job: text('job_id'),
        phase: text('phase'),
        direction: text('direction'),
        source: text('peak_source'),
        ranks: Number(row['ranks_measured'] ?? 0),
      };
      const key = JSON.stringify(names);
      const before = this.#limits.get(key) ?? { points: 0, minGBps: GBps, maxGBps: GBps };
      this.#limits.set(key, {
        ...names,
        points: before.points + 1,
        minGBps: Math.min(before.minGBps, GBps),
        maxGBps: Math.max(before.maxGBps, GBps),
      });
    }
  }

  /** In the order in which they were probed first. */
  toJSON(): readonly ProbedLimit[] {
    return [...this.#limits.values()];
  }
}
