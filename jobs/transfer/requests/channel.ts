/**
 * Requests over the control plane: rank 0 leads and works, the others work. A round is one broadcast of messages and one
 * gather of acknowledgements, so that many requests cost one exchange. All ranks live in the same sequence of rounds.
 */
import { RunnerError } from '../../../runner/errors.js';
import type { NativeWorld } from '../../../runner/native/types/index.js';
import { encodeRequest, type BlockTransferRequest, type RequestMessage } from './message.js';
import type { Acknowledgement, TransferWorker } from './worker.js';
import { decodeMessage, encodeMessage } from '../../../runner/values/rank-message.js';
import { itemAt } from '../../../runner/values/items.js';

const LEADER = 0;

/** How one request went on all ranks. */
export interface RequestResult {
  readonly id: number;
  /** Ranks that ran it; the others cancelled it or failed. */
  readonly executed: number;
  readonly cancelled: number;
  readonly failures: readonly { readonly rank: number; readonly error: string }[];
}

interface Round {
  readonly messages: readonly RequestMessage[];
  readonly last: boolean;
}

type Plane = Pick<NativeWorld, 'info' | 'broadcast' | 'gather'>;

/** Rank 0's end. `worker` is its own shard's. */
export class RequestLeader {
  readonly #world: Plane;
  readonly #worker: TransferWorker;
  #nextId = 0;

  constructor(world: Plane, worker: TransferWorker) {
    this.#world = world;
    this.#worker = worker;
  }

  /** One result per request, in order, once every rank has acknowledged every one. */
  async send(requests: readonly BlockTransferRequest[], timeoutMs: number): Promise<RequestResult[]> {
    const messages = requests.map((request) => encodeRequest(this.#nextId++, request));
    return this.sendMessages(messages, timeoutMs);
  }

  /** Messages as they are, checked only by the workers. */
  async sendMessages(messages: readonly RequestMessage[], timeoutMs: number): Promise<RequestResult[]> {
    await broadcastRound(this.#world, { messages, last: false }, timeoutMs);
    const own = await handleAll(this.#worker, messages);
    const gathered = await this.#world.gather(encodeMessage(own), LEADER, timeoutMs);
    if (gathered === null) throw new Error('rank 0 gathers: expected an answer of every rank');
    const byRank = gathered.map((bytes, rank) => acknowledgementsOf(bytes, rank, messages));
    return messages.map(({ id }, index) =>
      resultOf(
        id,
        byRank.map((acks) => itemAt(acks, index)),
      ),
    );
  }

  /** Ends the workers' serve(). */
  async close(timeoutMs: number): Promise<void> {
    await broadcastRound(this.#world, { messages: [], last: true }, timeoutMs);
  }
}

/** Any other rank's end: resolves when the leader closes. `timeoutMs` bounds each wait for the leader. */
export async function serveRequests(world: Plane, worker: TransferWorker, timeoutMs: number): Promise<void> {
  for (;;) {
    const round = decodeMessage<Round>(await world.broadcast(null, LEADER, timeoutMs), LEADER);
    if (round.last) return;
    await world.gather(encodeMessage(await handleAll(worker, round.messages)), LEADER, timeoutMs);
  }
}

/** Requests of one round run at the same time: a scheduled one may wait for what another brings. */
function handleAll(worker: TransferWorker, messages: readonly RequestMessage[]): Promise<Acknowledgement[]> {
  return Promise.all(messages.map((message) => worker.handle(message)));
}

async function broadcastRound(world: Plane, round: Round, timeoutMs: number): Promise<void> {
  await world.broadcast(encodeMessage(round), LEADER, timeoutMs);
}

/** One for each message, in order; anything else is a rank of another mind. */
function acknowledgementsOf(
  bytes: Buffer,
  rank: number,
  messages: readonly RequestMessage[],
): Acknowledgement[] {
  const acks = decodeMessage<Acknowledgement[]>(bytes, rank);
  const ids = messages.map(({ id }) => id).join(', ');
  const received = Array.isArray(acks) ? acks.map(({ id }) => id).join(', ') : typeof acks;
  if (ids === received) return acks;
  throw new RunnerError(
    'E_WORLD_LOST',
    `rank ${rank}: expected acknowledgements of requests ${ids || 'none'}, received ${received || 'none'}`,
  );
}

function resultOf(id: number, acks: readonly Acknowledgement[]): RequestResult {
  return {
    id,
    executed: acks.filter(({ outcome }) => outcome === 'executed').length,
    cancelled: acks.filter(({ outcome }) => outcome === 'cancelled').length,
    failures: acks.flatMap(({ outcome, error }, rank) => (outcome === 'failed' ? [{ rank, error }] : [])),
  };
}
