/** How long ranks may be apart where no spec says so: before the first point and after the last. */
import { readEnvironment } from '../environment/variables.js';

const START_TIMEOUT_SECONDS = 60;
const END_TIMEOUT_SECONDS = 20;

/** For each step of the start: one rank reads a spec, is still in MPI_Init or opens a device, the others wait. */
export function startTimeoutMs(): number {
  return (readEnvironment().settings.worldTimeoutSeconds ?? START_TIMEOUT_SECONDS) * 1000;
}

/** Ranks end together; they wait this long for one that lags, and as long again in MPI_Finalize. */
export function endTimeoutMs(): number {
  return (readEnvironment().settings.worldTimeoutSeconds ?? END_TIMEOUT_SECONDS) * 1000;
}
