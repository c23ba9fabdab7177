/** Offload and onboard: one thing in two directions. */
import type { JobKind } from '../job.js';
import { planKv, kvSpecOf } from './plan.js';
import { resolveKv } from './resolve.js';
import { kvFaults } from './rules.js';
import { kvSchema } from './schema.js';

/** Copying is the addon's: `validate` and `plan` must not load what leads to it. */
const open: JobKind['open'] = async (context) => (await import('./open.js')).openTransfer(context);

const shared = {
  schema: kvSchema,
  columns: [],
  resolve: resolveKv,
  check: (point, worldSize) => kvFaults(kvSpecOf(point), worldSize),
  plan: planKv,
  open,
} satisfies Omit<JobKind, 'kind' | 'summary'>;

export const offload: JobKind = {
  ...shared,
  kind: 'offload',
  summary: 'Copies blocks to a colder tier: device to host, device to disk, or host to disk.',
};

export const onboard: JobKind = {
  ...shared,
  kind: 'onboard',
  summary: 'Copies blocks to the device: from host or from disk.',
};
