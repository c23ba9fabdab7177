/** The bytes of a file, decompressed where they are compressed; which it is, its first bytes say. */
import { constants, createReadStream, fstatSync, openSync, readSync, closeSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { RunnerError, codeOf } from '../../runner/errors.js';

const READ_BYTES = 1 << 20;
const MAGIC = { gzip: [0x1f, 0x8b], zstd: [0x28, 0xb5, 0x2f, 0xfd] } as const;
type Compression = keyof typeof MAGIC | 'none';

const SUFFIXES: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd', zstd: 'zstd' };

function openRegular(path: string): number {
  let descriptor: number;
  try {
    // O_NONBLOCK opens a FIFO without waiting for its writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = codeOf(error) ?? String(error);
    const received = code === 'ENOENT' ? 'nothing: there is no such file' : `${code} on opening it`;
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

function compressionOf(descriptor: number, path: string): Compression {
  const head = Buffer.alloc(4);
  const length = readSync(descriptor, head, 0, head.length, 0);
  const starts = (magic: readonly number[]): boolean =>
    length >= magic.length && magic.every((byte, place) => head[place] === byte);
  const found = starts(MAGIC.gzip) ? 'gzip' : starts(MAGIC.zstd) ? 'zstd' : 'none';
  const expected = SUFFIXES[path.slice(path.lastIndexOf('.') + 1).toLowerCase()] ?? found;
  if (expected === found) return found;
  const received = found === 'none' ? 'bytes that are not compressed, or otherwise' : found;
  throw new RunnerError(
    'E_TRACE',
    `${path}: expected ${expected} by its name, received ${received}; give the file the suffix of what it is`,
  );
}

async function* gunzipped(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip({ chunkSize: READ_BYTES });
  const { Readable } = await import('node:stream');
  const source = Readable.from(input);
  source.on('error', (error) => unzip.destroy(error));
  yield* source.pipe(unzip) as AsyncIterable<Uint8Array>;
}

/** Node's own zstd is not in every version that railrunner runs on. */
async function* unzstd(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let isWhole = false;
  const stream = new Decompress((piece, last) => {
    // The library gives views of a window that it goes on to overwrite.
    if (piece.length > 0) pieces.push(piece.slice());
    isWhole ||= last === true;
  });
  for await (const chunk of input) {
    stream.push(chunk, false);
    yield* pieces.splice(0);
  }
  stream.push(new Uint8Array(), true);
  yield* pieces.splice(0);
  if (!isWhole) throw new Error('unexpected end of file');
}

/** Throws E_TRACE, with the path, whatever goes wrong. Memory does not grow with the file. */
export async function* readBytes(path: string): AsyncGenerator<Uint8Array> {
  const descriptor = openRegular(path);
  let compression: Compression;
  try {
    compression = compressionOf(descriptor, path);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  const input = createReadStream(path, { fd: descriptor, start: 0, highWaterMark: READ_BYTES });
  const bytes = { none: (i: AsyncIterable<Buffer>) => i, gzip: gunzipped, zstd: unzstd }[compression](input);
  try {
    yield* bytes;
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    const state = compression === 'none' ? 'cannot be read' : `is damaged as ${compression}`;
    throw new RunnerError('E_TRACE', `${path}: ${state}: ${what}; is the file whole?`, { cause: error });
  } finally {
    input.destroy();
    if (!input.closed) await new Promise<void>((resolve) => input.once('close', () => resolve()));
  }
}
