/** A worker's side of block transfer requests: decide, run in batches, mark complete, and always acknowledge. */
import { RunnerError, toRunnerError } from '../../../runner/errors.js';
import {
  decodeRequest,
  type BlockPair,
  type BlockTransferRequest,
  type PoolName,
  type RequestMessage,
} from './message.js';
import type { TransferScheduler } from './scheduler.js';

export type TransferMode = 'sharded' | 'replicated';

/** What a worker does the copies with. Rejects where one fails; it must not leave a copy running then. */
export interface BlockMover {
  move(from: PoolName, to: PoolName, blocks: readonly BlockPair[]): Promise<void>;
}

export interface WorkerOptions {
  readonly mode: TransferMode;
  /** Blocks of each pool of this worker; a pool that is absent is refused. */
  readonly capacities: Readonly<Partial<Record<PoolName, number>>>;
  /** Blocks of a batch, and batches in flight. */
  readonly maxTransferBatchSize: number;
  readonly maxConcurrentTransfers: number;
  readonly mover: BlockMover;
  readonly scheduler: TransferScheduler;
  /** How long a scheduled request waits for the worker's own side. */
  readonly scheduleTimeoutMs: number;
}

/** What goes back to the leader: that the request is done, and separately how. */
export interface Acknowledgement {
  readonly id: number;
  readonly outcome: 'executed' | 'cancelled' | 'failed';
  /** '' unless failed. */
  readonly error: string;
}

/** Pairs that mean something: offload and onboard. Copies inside a tier, and from disk to host, are nobody's request. */
const LEGAL: ReadonlySet<string> = new Set([
  'Device>Host',
  'Device>Disk',
  'Host>Device',
  'Host>Disk',
  'Disk>Device',
]);

export class TransferWorker {
  readonly #options: WorkerOptions;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Never rejects: whatever the message was, it is acknowledged. */
  async handle(message: RequestMessage): Promise<Acknowledgement> {
    const { id } = message;
    try {
      const decision = await this.#run(decodeRequest(message));
      return { id, outcome: decision === 'execute' ? 'executed' : 'cancelled', error: '' };
    } catch (error) {
      return { id, outcome: 'failed', error: toRunnerError(error).message };
    }
  }

  async #run(request: BlockTransferRequest): Promise<'execute' | 'cancel'> {
    const { connector_req: connector } = request;
    if (connector === undefined) {
      await this.#execute(request);
      return 'execute';
    }
    const { scheduler, scheduleTimeoutMs } = this.#options;
    const scheduled = await scheduler.schedule(connector, scheduleTimeoutMs);
    let failure: unknown = null;
    if (scheduled.decision === 'execute') {
      try {
        await this.#execute(request);
      } catch (error) {
        failure = error;
      }
    }
    // The worker's own side waits for this one, so it is told of failures too.
    scheduled.markComplete({ error: failure === null ? null : toRunnerError(failure).message });
    if (failure !== null) throw failure;
    return scheduled.decision;
  }

  /** All batches end before the first failure is told: nothing writes into a target behind a reported error. */
  async #execute({ from_pool: from, to_pool: to, blocks }: BlockTransferRequest): Promise<void> {
    checkTransfer(this.#options, from, to, blocks);
    const { mode, maxTransferBatchSize, maxConcurrentTransfers, mover } = this.#options;
    // Replicated copies are collectives: every rank must take part in the same ones.
    const batches = mode === 'replicated' ? [blocks] : cutIntoBatches(blocks, maxTransferBatchSize);
    let next = 0;
    let failure: { readonly error: unknown } | null = null;
    const lane = async (): Promise<void> => {
      while (next < batches.length && failure === null) {
        const batch = batches[next++] ?? [];
        try {
          await mover.move(from, to, batch);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(maxConcurrentTransfers, batches.length) }, lane));
    const failed = failure as { readonly error: unknown } | null;
    if (failed !== null) throw failed.error;
  }
}

/** Batches of `size` blocks, the last one smaller; a request within the limit is one. */
export function cutIntoBatches(blocks: readonly BlockPair[], size: number): (readonly BlockPair[])[] {
  if (blocks.length <= size) return [blocks];
  return Array.from({ length: Math.ceil(blocks.length / size) }, (_, index) =>
    blocks.slice(index * size, (index + 1) * size),
  );
}

function checkTransfer(
  { capacities }: WorkerOptions,
  from: PoolName,
  to: PoolName,
  blocks: readonly BlockPair[],
): void {
  if (!LEGAL.has(`${from}>${to}`)) {
    throw new RunnerError(
      'E_ARGUMENT',
      `block transfer request: expected one of ${[...LEGAL].join(', ').replaceAll('>', ' to ')}, received ${from} to ${to}`,
    );
  }
  for (const [place, pool] of [from, to].entries()) {
    const capacity = capacities[pool];
    if (capacity === undefined) {
      const held = Object.keys(capacities).join(', ') || 'none';
      const side = place === 0 ? 'source' : 'target';
      throw new RunnerError(
        'E_BLOCK_IDS',
        `block transfer request: ${side} pool ${pool}: expected a pool of this worker (${held})`,
      );
    }
    const beyond = blocks.find((pair) => (pair[place] ?? 0) >= capacity);
    if (beyond !== undefined) {
      throw new RunnerError(
        'E_BLOCK_IDS',
        `block transfer request: expected ids below ${capacity}, the blocks of pool ${pool}, received ${beyond[place]}`,
      );
    }
  }
  const targets = new Set<number>();
  for (const [, target] of blocks) {
    if (targets.has(target)) {
      throw new RunnerError(
        'E_BLOCK_IDS',
        `block transfer request: expected each target once, received block ${target} of pool ${to} twice`,
      );
    }
    targets.add(target);
  }
}
