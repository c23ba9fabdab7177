/** The registry: a list, nothing else. */
import type { JobKind } from '../runner/job/kind.js';
import { dispatchCombine } from './dispatch-combine/index.js';
import { broadcast, offload, onboard } from './kv/index.js';
import { replay } from './replay/index.js';
import { transfer } from './transfer/index.js';

export const JOB_KINDS: readonly JobKind[] = [offload, onboard, broadcast, dispatchCombine, transfer, replay];
