/** Offload and onboard, one thing in two directions, and broadcast, which is a replicated onboard of any tier. */
import type { JobKind } from '../../runner/job/kind.js';
import { kvColumns } from './columns.js';
import { planKv, kvSpecOf } from './plan.js';
import { resolveKv } from './resolve.js';
import { kvFaults } from './rules.js';
import { broadcastSchema, kvSchema } from './schema.js';
import { skippedTransfer } from './skips.js';

/** Copying is the addon's: `validate` and `plan` must not load what leads to it. */
const open: JobKind['open'] = async (context) => (await import('./sharded/open.js')).openTransfer(context);

const shared = {
  schema: kvSchema,
  columns: kvColumns,
  resolve: resolveKv,
  check: (point, worldSize) => kvFaults(kvSpecOf(point), worldSize),
  plan: planKv,
  skipReason: (point, place) => skippedTransfer(kvSpecOf(point), place),
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

export const broadcast: JobKind = {
  ...shared,
  kind: 'broadcast',
  schema: broadcastSchema,
  summary: "Takes the root's blocks to the device pool of every rank: from its device, host or disk tier.",
};
