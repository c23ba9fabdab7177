/** The registry: a list, nothing else. */
import type { JobKind } from './job.js';
import { offload, onboard } from './kv/index.js';

export const JOB_KINDS: readonly JobKind[] = [offload, onboard];
