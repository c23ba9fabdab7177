/**
 * Block transfer requests as they cross the wire: JSON of {"from_pool", "to_pool", "blocks": [[from, to], ...]} and, for
 * those that take part in a worker's own schedule, "connector_req". Field names are those of dynamo's block manager.
 * Everything is checked before it is used: a worker never indexes a pool by what came in.
 */
import { messageOf, RunnerError } from '../../../runner/errors.js';
import { showValue } from '../../../runner/job-spec/issue.js';
import { isObject } from '../../../runner/job-spec/pointer.js';

const POOLS = ['Device', 'Host', 'Disk'] as const;
export type PoolName = (typeof POOLS)[number];

/** [id in from_pool, id in to_pool]. */
export type BlockPair = readonly [number, number];

/** What ties a request to a worker's own schedule. */
export interface ConnectorRequest {
  /** Of the sequence it works for. */
  readonly request_id: string;
  /** Only of this operation: results and cancellations name it. */
  readonly uuid: string;
  /** immediate: run on arrival. scheduled: wait until the worker itself has enqueued the operation. */
  readonly request_type: 'immediate' | 'scheduled';
}

export interface BlockTransferRequest {
  readonly from_pool: PoolName;
  readonly to_pool: PoolName;
  readonly blocks: readonly BlockPair[];
  readonly connector_req?: ConnectorRequest;
}

/** A message has exactly one data frame. */
export interface RequestMessage {
  readonly id: number;
  readonly frames: readonly string[];
}

/** Ids are 32-bit in every pool. */
const LARGEST_BLOCK_ID = 2 ** 31 - 1;
const LONGEST_NAME = 256;

const refuse = (what: string, expected: string, received: string): never => {
  throw new RunnerError(
    'E_ARGUMENT',
    `block transfer request: ${what}: expected ${expected}, received ${received}. Correct the sender.`,
  );
};

export function encodeRequest(id: number, request: BlockTransferRequest): RequestMessage {
  return { id, frames: [JSON.stringify(request)] };
}

/** Throws E_ARGUMENT, which names the field, for everything that is not exactly a request. */
export function decodeRequest({ frames }: RequestMessage): BlockTransferRequest {
  if (frames.length !== 1) refuse('frames', 'exactly one data frame', String(frames.length));
  let value: unknown;
  try {
    value = JSON.parse(frames[0] ?? '');
  } catch (error) {
    refuse('frame', 'JSON', messageOf(error));
  }
  if (!isObject(value)) return refuse('frame', 'a JSON object', showValue(value));
  const known = ['from_pool', 'to_pool', 'blocks', 'connector_req'];
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) refuse(unknown, `one of ${known.join(', ')}`, 'another key');
  const connector = value['connector_req'] ?? undefined;
  return {
    from_pool: poolOf(value['from_pool'], 'from_pool'),
    to_pool: poolOf(value['to_pool'], 'to_pool'),
    blocks: blocksOf(value['blocks']),
    ...(connector === undefined ? {} : { connector_req: connectorOf(connector) }),
  };
}

function poolOf(value: unknown, key: string): PoolName {
  const pool = POOLS.find((name) => name === value);
  return pool ?? refuse(key, POOLS.join(', '), showValue(value));
}

function blocksOf(value: unknown): BlockPair[] {
  if (!Array.isArray(value)) return refuse('blocks', 'a list of [from, to]', showValue(value));
  return value.map((pair: unknown, index): BlockPair => {
    const isId = (id: unknown): id is number =>
      Number.isInteger(id) && Number(id) >= 0 && Number(id) <= LARGEST_BLOCK_ID;
    const [from, to, ...more] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (isId(from) && isId(to) && more.length === 0) return [from, to];
    return refuse(`blocks[${index}]`, `two ids from 0 to ${LARGEST_BLOCK_ID}`, showValue(pair));
  });
}

function connectorOf(value: unknown): ConnectorRequest {
  if (!isObject(value)) return refuse('connector_req', 'a JSON object', showValue(value));
  const text = (key: 'request_id' | 'uuid'): string => {
    const word = value[key];
    if (typeof word === 'string' && word.length > 0 && word.length <= LONGEST_NAME) return word;
    return refuse(`connector_req.${key}`, `a string of 1 to ${LONGEST_NAME} characters`, showValue(word));
  };
  const type = value['request_type'];
  if (type !== 'immediate' && type !== 'scheduled') {
    return refuse('connector_req.request_type', 'immediate or scheduled', showValue(type));
  }
  return { request_id: text('request_id'), uuid: text('uuid'), request_type: type };
}
