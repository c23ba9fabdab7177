/** The format of a trace and the tokens of its blocks, from only the first lines: what a spec is checked by. */
import { closeSync, openSync, readSync } from 'node:fs';
import { constants as zlibConstants, gunzipSync } from 'node:zlib';
import { messageOf } from '../../runner/errors.js';
import { textLines } from '../../runner/text/text-file.js';
import { BlockTokens } from './block-tokens.js';
import { compressionOf } from './compressed-file.js';
import { formatOf, KNOWN_FORMATS, type TraceFormat } from './formats.js';
import type { TraceRequest } from './request.js';
import { ZstdFrames } from './zstd-frames.js';

const HEAD_BYTES = 1 << 20;
const MOST_REQUESTS = 1000;

export interface TraceHead {
  readonly format: TraceFormat;
  /** null: the format names no blocks. */
  readonly blockTokens: number | null;
}

/** `saidTokens`: what the user says of blockTokens. Later lines are not looked at. */
export function peekTrace(
  path: string,
  saidTokens: number | undefined,
): TraceHead | { readonly wrong: string } {
  let text: string;
  try {
    text = headOf(path);
  } catch (error) {
    return { wrong: messageOf(error) };
  }
  const lines = textLines(text.slice(0, text.lastIndexOf('\n') + 1) || text);
  const first = lines.next();
  if (first.done === true) return { wrong: 'no line' };
  const format = formatOf(first.value.text);
  if ('wrong' in format)
    return { wrong: `line ${first.value.number}: ${format.wrong}; expected ${KNOWN_FORMATS}` };
  if (format.usualBlockTokens === null) return { format, blockTokens: null };
  const requests: TraceRequest[] = [];
  const parse = format.parser();
  for (const { text: line } of [first.value, ...lines]) {
    const request = parse(line, requests.at(-1)?.timestampMs ?? 0);
    // Wrong lines are told where the whole trace is read.
    if (!('wrong' in request)) requests.push(request);
    if (requests.length === MOST_REQUESTS) break;
  }
  const told = new BlockTokens(format.lastBlockHasId, requests).derive(format.usualBlockTokens);
  return { format, blockTokens: saidTokens ?? told ?? format.usualBlockTokens };
}

/** The first text of a file, decompressed; of a truncated file, as much as there is. */
function headOf(path: string): string {
  const descriptor = openSync(path, 'r');
  const bytes = Buffer.alloc(HEAD_BYTES);
  let length: number;
  try {
    length = readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return new TextDecoder().decode(inflated(bytes.subarray(0, length)));
}

function inflated(bytes: Buffer): Uint8Array {
  switch (compressionOf(bytes)) {
    case 'gzip':
      return gunzipSync(bytes, { finishFlush: zlibConstants.Z_SYNC_FLUSH });
    case 'zstd':
      return Buffer.concat(new ZstdFrames(null).push(bytes));
    case 'none':
      return bytes;
  }
}
