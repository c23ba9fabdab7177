/** The NCCL communicator of replicated points: one for each cap of thread blocks, kept until a point fails. */
import type { PointContext } from '../../../runner/job/context.js';
import { RunnerError } from '../../../runner/errors.js';
import type { NativeCommunicator, NcclProbe } from '../../../runner/native/types/index.js';
import { rankList } from '../../../runner/text/ranges.js';
import { firstOf } from '../../../runner/values/items.js';
import type { KvSpec } from '../spec.generated.js';

const KEY_PREFIX = 'nccl:';
/** Between the last finished collective and the end of a rank's communicator nothing but peers' calls can be waited for. */
const CLOSE_TIMEOUT_MS = 10_000;

export interface CommunicatorLease {
  readonly native: NativeCommunicator;
  /** After a failure anywhere, on every rank: aborts it, so that the next point makes a new one. */
  abandon(): Promise<void>;
}

/** Inside a node `ipc` and `auto` do without NCCL; for `ipc` it is but the probe. */
export async function communicatorOf(context: PointContext, spec: KvSpec): Promise<CommunicatorLease | null> {
  if (context.device.properties.kind !== 'cuda' || spec.strategy === 'independent') return null;
  if (spec.strategy === 'ipc' && !spec.probe) return null;
  const isOneNode = new Set(context.world.info.nodeOfRank).size === 1;
  try {
    return await leaseCommunicator(context, ctasOf(spec));
  } catch (error) {
    const isUnusable =
      error instanceof RunnerError && ['E_NCCL_MISSING', 'E_UNSUPPORTED_HERE'].includes(error.code);
    if (isUnusable && isOneNode && (spec.strategy === 'ipc' || spec.strategy === 'auto')) return null;
    throw error;
  }
}

/** 0: as many as NCCL wants. */
export function ctasOf(spec: KvSpec): number {
  return spec.maxCtas === 'uncapped' ? 0 : spec.maxCtas;
}

/**
 * Collective. Throws E_NCCL_MISSING on all ranks where any cannot load NCCL, and E_UNSUPPORTED_HERE where two share a GPU,
 * which NCCL refuses: the point is skipped.
 */
export async function leaseCommunicator(context: PointContext, maxCtas: number): Promise<CommunicatorLease> {
  const [sharing] = context.device.sharedBy;
  if (sharing !== undefined) {
    throw new RunnerError(
      'E_UNSUPPORTED_HERE',
      `NCCL needs a GPU for each rank, and ${rankList(sharing)} share one (allowSharedDevice): start at most one rank per ` +
        'GPU, or use strategy ipc, independent or auto on one host.',
    );
  }
  const key = `${KEY_PREFIX}${maxCtas}`;
  const probe = await context.onAllRanks('loading NCCL', () =>
    context.addon.probeNccl(context.ncclLibraries()),
  );
  await compareVersions(context, probe);
  context.noteNccl(probe.version);
  let failed = false;
  const native = await context.resources.acquire(key, async () => {
    const made = await create(context, maxCtas);
    context.log.info({ nccl: probe.version, path: probe.path, maxCtas }, 'NCCL communicator opened');
    return {
      native: made,
      close: () => (failed ? made.abandon() : made.close(CLOSE_TIMEOUT_MS)),
      // ncclCommDestroy and ncclCommAbort take half a second each (2.28.3, two ranks of a host).
      endsWithProcess: true,
    };
  });
  return {
    native: native.native,
    abandon: async () => {
      failed = true;
      await native.native.abandon();
      await context.resources.drop(key);
    },
  };
}

/** The root makes the record, MPI carries it, and every rank joins; ranks that could leave one that some could not. */
async function create(context: PointContext, maxCtas: number): Promise<NativeCommunicator> {
  const { world, addon } = context;
  const { rank, worldSize } = world.info;
  const libraries = context.ncclLibraries();
  const own = await context.onAllRanks('making the NCCL record', async () =>
    rank === 0 ? await addon.createNcclRecord(libraries, worldSize) : null,
  );
  const record = await world.native.broadcast(own, 0, context.meetingMs());
  const timeoutMs = Math.max(1, context.remainingMs() - 1000);
  let made: NativeCommunicator | undefined;
  const open = async (): Promise<NativeCommunicator> => {
    const options = { libraries, record, rank, worldSize, maxCtas, timeoutMs };
    return (made = await context.device.native.openCommunicator(options));
  };
  try {
    return await context.onAllRanks('opening the NCCL communicator', open);
  } catch (error) {
    await made?.abandon();
    throw error;
  }
}

async function compareVersions(context: PointContext, probe: NcclProbe): Promise<void> {
  const versions = await context.wordsOfAll('version of NCCL', probe.version);
  const ranks = versions.flatMap((version, rank) => (version === versions[0] ? [] : [rank]));
  if (ranks.length === 0) return;
  const found = `${versions[0]} on rank 0, ${versions[firstOf(ranks)]} on rank ${ranks[0]}`;
  throw new RunnerError(
    'E_NCCL',
    `NCCL: expected one version on all ranks, received ${found}. Name one library by RAILRUNNER_NCCL_LIBRARY.`,
  );
}
