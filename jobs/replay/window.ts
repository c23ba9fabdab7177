/**
 * What rank 0 has decided for requests that follow each other, and how it crosses the wire: a header in JSON, then
 * arrays. The lists of a request are done in the order of MOVE_LISTS; native/replay checks slots against the tiers.
 */
import { RunnerError } from '../../runner/errors.js';
import { namesOf } from '../../runner/values/objects.js';
import { decodeMessage } from '../../runner/values/rank-message.js';
import type { MoveWindow } from '../../runner/native/types/index.js';
import type { CacheCounts } from '../cache/tiered-cache.js';

export const MOVE_LISTS = [
  'hits',
  'host->disk',
  'device->host',
  'device->disk',
  'host->device',
  'disk->device',
  'fills',
] as const;
export type MoveList = (typeof MOVE_LISTS)[number];

export interface ReplayWindow extends MoveWindow {
  /** Of a move's block in its request, from the head; -1: of one that leaves for another's sake. */
  readonly places: Int32Array;
  /** By request. */
  readonly numBlocks: Int32Array;
  /** Of all windows since the warm-up, this one included. */
  readonly cache: CacheCounts;
  /** Its requests only fill the tiers. */
  readonly isWarmup: boolean;
  /** No request follows. */
  readonly isLast: boolean;
}

interface Header {
  readonly firstRequest: number;
  readonly requests: number;
  readonly moves: number;
  readonly cache: CacheCounts;
  readonly isWarmup: boolean;
  readonly isLast: boolean;
}

/** Longest word of any array, at multiples of which arrays begin. */
const WORD_BYTES = 8;
const aligned = (bytes: number): number => Math.ceil(bytes / WORD_BYTES) * WORD_BYTES;

type Arrays = Pick<
  ReplayWindow,
  'dueUs' | 'delayUs' | 'previous' | 'numBlocks' | 'counts' | 'source' | 'target' | 'places' | 'content'
>;

/** In the order of the wire, with the elements that each has. */
function emptyArrays(requests: number, moves: number): Arrays {
  return {
    dueUs: new Float64Array(requests),
    delayUs: new Float64Array(requests),
    previous: new Int32Array(requests),
    numBlocks: new Int32Array(requests),
    counts: new Int32Array(requests * MOVE_LISTS.length),
    source: new Int32Array(moves),
    target: new Int32Array(moves),
    places: new Int32Array(moves),
    content: new Uint32Array(2 * moves),
  };
}

const ARRAY_NAMES = namesOf(emptyArrays(0, 0));

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

export function encodeWindow(window: ReplayWindow): Buffer {
  const { firstRequest, cache, isWarmup, isLast } = window;
  const requests = window.dueUs.length;
  const header: Header = { firstRequest, requests, moves: window.source.length, cache, isWarmup, isLast };
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(aligned(4 + text.length));
  head.writeUInt32LE(text.length);
  text.copy(head, 4);
  const parts: Uint8Array[] = [head];
  for (const name of ARRAY_NAMES) {
    const { byteLength } = window[name];
    parts.push(bytesOf(window[name]));
    parts.push(Buffer.alloc(aligned(byteLength) - byteLength));
  }
  return Buffer.concat(parts);
}

/** Throws E_WORLD_LOST for bytes that are not a window: they came from another build. */
export function decodeWindow(bytes: Buffer): ReplayWindow {
  const header = readHeader(bytes);
  const arrays = emptyArrays(header.requests, header.moves);
  let at = aligned(4 + bytes.readUInt32LE());
  for (const name of ARRAY_NAMES) {
    const target = arrays[name];
    const part = bytes.subarray(at, at + target.byteLength);
    if (part.length !== target.byteLength) throw notAWindow(bytes, `its ${name} end early`);
    bytesOf(target).set(part);
    at += aligned(target.byteLength);
  }
  if (at !== bytes.length) throw notAWindow(bytes, `expected ${at} bytes`);
  const { firstRequest, cache, isWarmup, isLast } = header;
  return { firstRequest, cache, isWarmup, isLast, ...arrays };
}

function readHeader(bytes: Buffer): Header {
  const length = bytes.length >= 4 ? bytes.readUInt32LE() : Infinity;
  if (4 + length > bytes.length) throw notAWindow(bytes, 'its header ends early');
  try {
    const header = decodeMessage<Header>(bytes.subarray(4, 4 + length), 0);
    const most = bytes.length;
    const isCount = (value: unknown): boolean =>
      Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most;
    if (isCount(header.requests) && isCount(header.moves)) return header;
  } catch {
    // Said below.
  }
  throw notAWindow(bytes, 'its header has no counts');
}

function notAWindow(bytes: Buffer, what: string): RunnerError {
  const received = `${bytes.length} bytes that are no window of moves: ${what}`;
  return new RunnerError('E_WORLD_LOST', `rank 0 sent ${received}. Do all ranks run the same railrunner?`);
}
