/** What the engine demands of a job kind's answers. A kind that breaks it fails the point, never the run. */
import { RunnerError } from '../errors.js';
import type { JobKind } from '../job/kind.js';
import type { Measurement, Verification } from '../job/measurement.js';
import type { Point } from '../job-spec/types.js';

/** Throws E_STATE where a measurement fills a column that its kind did not declare. */
export function requireOwnColumns(kind: JobKind, measurements: readonly Measurement[]): void {
  const declared = new Set(kind.columns.map(({ name }) => name));
  for (const { phase, extra = {} } of measurements) {
    const unknown = Object.keys(extra).filter((name) => !declared.has(name));
    if (unknown.length === 0) continue;
    throw new RunnerError(
      'E_STATE',
      `kind ${kind.kind}, phase ${phase}: expected columns that the kind declares (${[...declared].join(', ') || 'none'}), ` +
        `received ${unknown.join(', ')}. Declare them in the kind's columns.`,
    );
  }
}

/** Throws E_STATE where a point with `stopping` was measured without it. */
export function requireStopped(kind: JobKind, { job }: Point, measurements: readonly Measurement[]): void {
  if (job.stopping === undefined) return;
  for (const measurement of measurements) {
    if (measurement.state !== 'measured' || measurement.stopped === true) continue;
    if (measurement.stoppedBy !== undefined) continue;
    throw new RunnerError(
      'E_STATE',
      `kind ${kind.kind}, phase ${measurement.phase}: expected samples until the noise is low, as stopping says, ` +
        `received ${measurement.samplesUs.length} of them and no reason. Take them with takeSamples.`,
    );
  }
}

/** Throws E_STATE where a phase was measured and nothing verified it, unless the job says `verify: off`. */
export function requireVerified(
  kind: JobKind,
  point: Point,
  measurements: readonly Measurement[],
  verifications: readonly Verification[],
): void {
  if (point.job.verify === 'off') return;
  for (const measurement of measurements) {
    if (measurement.state !== 'measured' || measurement.samplesUs.length === 0) continue;
    const { phase } = measurement;
    if (verifications.some((entry) => entry.phase === undefined || entry.phase === phase)) continue;
    throw new RunnerError(
      'E_STATE',
      `kind ${kind.kind}: phase ${phase} was measured, expected a verification of it, received none. ` +
        `Return one from verify(), or set verify to off.`,
    );
  }
}
