/** From a phase of the native surface to the row of a kind. */
import type { InjectedFault, PathBytes, Phase } from '../native/types/index.js';
import type { PointContext } from './context.js';
import type { Measured, MeasuredBytes } from './measurement.js';
import type { Sampled } from './take-samples.js';
import { entriesOf } from '../values/objects.js';

/** What native code says of a row. Strategy, transport, peak and columns of its own are for the kind to add. */
export function measuredPhase(
  phase: Phase,
  sampled: Pick<Sampled<never>, 'stopped' | 'stoppedBy'>,
): Pick<
  Measured<never>,
  'state' | 'phase' | 'timing' | 'direction' | 'samplesUs' | 'entrySkewUs' | 'stopped' | 'stoppedBy' | 'bytes'
> {
  return {
    state: 'measured',
    phase: phase.phase,
    timing: phase.timing,
    direction: phase.direction,
    samplesUs: phase.timesUs,
    entrySkewUs: phase.entrySkewUs,
    ...howItEnded(sampled),
    bytes: takenBytes(phase.bytes),
  };
}

/** Why a measured loop took no further samples. */
export function howItEnded({
  stopped,
  stoppedBy,
}: Pick<Sampled<never>, 'stopped' | 'stoppedBy'>): Pick<Measured<never>, 'stopped' | 'stoppedBy'> {
  return { stopped, ...(stoppedBy === undefined ? {} : { stoppedBy }) };
}

/** A path that nothing takes stays empty in the row; payload never does. */
function takenBytes({ payload, ...paths }: PathBytes): MeasuredBytes {
  return { payload, ...Object.fromEntries(Object.entries(paths).filter(([, bytes]) => bytes > 0)) };
}

/** Those of this rank and point that the kind can commit, each where it is to strike. */
export function faultsAt(
  context: PointContext,
  at: { readonly [Fault in InjectedFault['fault']]?: number },
): InjectedFault[] {
  return entriesOf(at).flatMap(([fault, when]) =>
    context.injectedFaults.includes(fault) ? [{ fault, at: when }] : [],
  );
}
