/** The bytes of a file, decompressed where they are compressed; which it is, its first bytes say. */
import { constants, createReadStream, fstatSync, openSync, readSync, closeSync } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import xxhash from 'xxhash-wasm';
import { RunnerError, codeOf, messageOf } from '../../runner/errors.js';
import { isZstd, ZstdFrames } from './zstd-frames.js';

const READ_BYTES = 1 << 20;
type Compression = 'gzip' | 'zstd' | 'none';

const SUFFIXES: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd', zstd: 'zstd' };

function openRegular(path: string): number {
  let descriptor: number;
  try {
    // O_NONBLOCK opens a FIFO without waiting for its writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const isAbsent = codeOf(error) === 'ENOENT';
    const received = isAbsent ? 'nothing: there is no such file' : messageOf(error);
    throw new RunnerError(
      'E_TRACE',
      `${path}: expected a request trace, received ${received}; check the path`,
    );
  }
  const found = fstatSync(descriptor);
  if (found.isFile()) return descriptor;
  closeSync(descriptor);
  const received = found.isDirectory() ? 'a directory' : 'something that is not a regular file';
  throw new RunnerError('E_TRACE', `${path}: expected a request trace, received ${received}; name a file`);
}

/** `head`: the first bytes of a file, four if it has them. */
export function compressionOf(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  return isZstd(head) ? 'zstd' : 'none';
}

function expectedCompression(descriptor: number, path: string): Compression {
  const head = Buffer.alloc(4);
  const found = compressionOf(head.subarray(0, readSync(descriptor, head, 0, head.length, 0)));
  const expected = SUFFIXES[path.slice(path.lastIndexOf('.') + 1).toLowerCase()] ?? found;
  if (expected === found) return found;
  const received = found === 'none' ? 'bytes that are not compressed, or otherwise' : found;
  throw new RunnerError(
    'E_TRACE',
    `${path}: expected ${expected} by its name, received ${received}; give the file the suffix of what it is`,
  );
}

function gunzipped(input: Readable): AsyncIterable<Uint8Array> {
  // Whoever reads hears of an error too.
  return pipeline(input, createGunzip({ chunkSize: READ_BYTES }), () => undefined);
}

/** Node's own zstd is not in every version that railrunner runs on, and 24.21 leaves off behind the first frame. */
async function* unzstd(input: Readable): AsyncGenerator<Uint8Array> {
  const { create64 } = await xxhash();
  const frames = new ZstdFrames(() => create64());
  for await (const chunk of input) yield* frames.push(chunk);
  if (!frames.isAtEnd) throw new Error('unexpected end of file');
}

/** Throws E_TRACE, with the path, whatever goes wrong. Memory does not grow with the file. */
export async function* readBytes(path: string): AsyncGenerator<Uint8Array> {
  const descriptor = openRegular(path);
  const input = createReadStream(path, { fd: descriptor, start: 0, highWaterMark: READ_BYTES });
  let wrong = 'cannot be read';
  try {
    const compression = expectedCompression(descriptor, path);
    if (compression !== 'none') wrong = `is damaged as ${compression}`;
    yield* { none: (i: Readable): AsyncIterable<Uint8Array> => i, gzip: gunzipped, zstd: unzstd }[
      compression
    ](input);
  } catch (error) {
    if (error instanceof RunnerError) throw error;
    throw new RunnerError('E_TRACE', `${path}: ${wrong}: ${messageOf(error)}; check that the file is whole`, {
      cause: error,
    });
  } finally {
    input.destroy();
    if (!input.closed) await new Promise<void>((resolve) => input.once('close', () => resolve()));
  }
}
