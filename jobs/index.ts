/** The registry: a list, nothing else. */
import type { JobKind } from './job.js';

export const JOB_KINDS: readonly JobKind[] = [];
