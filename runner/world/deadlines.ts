/** How long ranks may be apart where no spec says so: before the first point and after the last. */
import { readEnvironment } from '../environment/variables.js';
import type { WorldInfo } from '../native/types/index.js';

const START_TIMEOUT_SECONDS = 60;
const END_TIMEOUT_SECONDS = 20;
const SILENCE_SECONDS = 5;
/** Between hosts: after an outage of 3 s TCP tries again at 6 s, and every MPI here recovers from that. */
const REMOTE_SILENCE_SECONDS = 15;
/** Whoever sets a longer silence wants patience with slow ranks, not with lost ones. */
const MOST_GRACE_SECONDS = 60;
/** Unwinding a stage takes at most 1.5 s, and the news of a death some heartbeats. */
const UNWINDING_MS = 4000;

/** Silence after which a rank counts as dead: on this host, and on another. */
export function silenceMs(): { readonly here: number; readonly remote: number } {
  const { peerTimeoutSeconds } = readEnvironment().settings;
  return {
    here: (peerTimeoutSeconds ?? SILENCE_SECONDS) * 1000,
    remote: (peerTimeoutSeconds ?? REMOTE_SILENCE_SECONDS) * 1000,
  };
}

/** Beyond a stage's deadline: by then a dead rank is known by name, and nobody is taken for one that waits for it. */
export function boundaryGraceMs({ hostSize, worldSize }: WorldInfo): number {
  const { here, remote } = silenceMs();
  const silence = hostSize < worldSize ? remote : here;
  return Math.min(Math.max(silence, SILENCE_SECONDS * 1000), MOST_GRACE_SECONDS * 1000) + UNWINDING_MS;
}

/** For each step of the start: one rank reads a spec, is still in MPI_Init or opens a device, the others wait. */
export function startTimeoutMs(): number {
  return (readEnvironment().settings.worldTimeoutSeconds ?? START_TIMEOUT_SECONDS) * 1000;
}

/** Ranks end together; they wait this long for one that lags, and as long again in MPI_Finalize. */
export function endTimeoutMs(): number {
  return (readEnvironment().settings.worldTimeoutSeconds ?? END_TIMEOUT_SECONDS) * 1000;
}
