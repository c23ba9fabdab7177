/**
 * The one reader of text files that users name: specs, traces, routing files, model configurations. Looks before it
 * opens (a FIFO would block, a device has side effects), bounds the size, insists on UTF-8, and drops a byte order mark.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  type Stats,
} from 'node:fs';
import { codeOf } from '../errors.js';

export interface TextFile {
  /** Without a byte order mark. Line ends are as in the file: `textLines` takes both kinds. */
  readonly text: string;
  /** Of the bytes in the file, in hex. */
  readonly sha256: string;
}

/** Why a file was not read. */
export class TextFileError extends Error {
  /** What was found instead of a readable text file. */
  readonly received: string;
  readonly hint: string;
  /** There is nothing at this path: another place may have it. */
  readonly absent: boolean;
  /** It was read, but is not UTF-8 text. */
  readonly notText: boolean;

  constructor(
    received: string,
    hint: string,
    options: { readonly absent?: boolean; readonly notText?: boolean; readonly cause?: unknown } = {},
  ) {
    super(`${received}; ${hint}`, { cause: options.cause });
    this.name = 'TextFileError';
    this.received = received;
    this.hint = hint;
    this.absent = options.absent ?? false;
    this.notText = options.notText ?? false;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'check the path; a relative one starts at the folder you are in',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'make the file readable for this user',
  EPERM: 'make the file readable for this user',
  EMFILE: 'this process has no file descriptor left: raise `ulimit -n`',
  ENFILE: 'the machine has no file descriptor left: raise fs.file-max',
  ELOOP: 'the symbolic links of the path go in a circle',
  ENAMETOOLONG: 'the path is longer than the file system allows',
};

/** Throws TextFileError. At most `limitBytes` are read. */
export function readTextFile(path: string, limitBytes: number): TextFile {
  const bytes = readRegularFile(path, limitBytes);
  return { text: decode(bytes), sha256: createHash('sha256').update(bytes).digest('hex') };
}

const DIGEST_BYTES = 1 << 20;

/** sha256 of a file of any size and content, in hex. Throws TextFileError. */
export function digestFile(path: string): string {
  return withRegularFile(path, Infinity, (descriptor) => {
    const hash = createHash('sha256');
    const piece = Buffer.alloc(DIGEST_BYTES);
    for (;;) {
      const length = readSync(descriptor, piece, 0, piece.length, null);
      if (length === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, length));
    }
  });
}

function readRegularFile(path: string, limitBytes: number): Buffer {
  return withRegularFile(path, limitBytes, (descriptor) => {
    const bytes = readFileSync(descriptor);
    // Files of /proc say that they are empty, and others may grow while they are read.
    if (bytes.length > limitBytes) throw tooLarge(bytes.length, limitBytes);
    return bytes;
  });
}

function withRegularFile<T>(path: string, limitBytes: number, read: (descriptor: number) => T): T {
  let descriptor: number | undefined;
  try {
    requireRegular(statSync(path), limitBytes);
    // The path may have changed since: O_NONBLOCK opens a FIFO without waiting for its writer, and fstat judges again.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    requireRegular(fstatSync(descriptor), limitBytes);
    return read(descriptor);
  } catch (error) {
    if (error instanceof TextFileError) throw error;
    const code = codeOf(error) /* v8 ignore next -- mistake */ ?? String(error);
    const absent = code === 'ENOENT' || code === 'ENOTDIR';
    const received = code === 'ENOENT' ? 'nothing: there is no such file' : `${code} on opening it`;
    const hint = HINTS[code] ?? 'check the path and its permissions';
    throw new TextFileError(received, hint, { absent, cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function tooLarge(sizeBytes: number, limitBytes: number): TextFileError {
  return new TextFileError(
    `${sizeBytes} bytes`,
    `at most ${limitBytes} bytes are read; is this the right file?`,
  );
}

function requireRegular(found: Stats, limitBytes: number): void {
  if (found.isDirectory()) throw new TextFileError('a directory', 'name the file inside it');
  if (!found.isFile()) {
    throw new TextFileError(`${typeOf(found)}, not a regular file`, 'write the text to a file first');
  }
  if (found.size > limitBytes) throw tooLarge(found.size, limitBytes);
}

function typeOf(found: Stats): string {
  if (found.isFIFO()) return 'a FIFO';
  if (found.isSocket()) return 'a socket';
  return 'a device';
}

function decode(bytes: Buffer): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new TextFileError('UTF-16 text', 'save the file as UTF-8', { notText: true });
  }
  try {
    // Skips a leading byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const { line, column } = firstBadByte(bytes);
    const received = `bytes that are not UTF-8 at line ${line}, column ${column}`;
    throw new TextFileError(received, 'is this a text file? save it as UTF-8', { notText: true, cause });
  }
}

/** Line from 1 and column in bytes from 1. Decoding with replacement changes the first bad byte, and none before it. */
function firstBadByte(bytes: Buffer): { readonly line: number; readonly column: number } {
  const replaced = Buffer.from(bytes.toString('utf8'));
  const offset = bytes.findIndex((byte, index) => byte !== replaced[index]);
  const before = bytes.subarray(0, Math.max(0, offset));
  const line = before.reduce((lines, byte) => lines + (byte === 0x0a ? 1 : 0), 1);
  return { line, column: before.length - before.lastIndexOf(0x0a) };
}

export interface TextLine {
  /** Without its line end. */
  readonly text: string;
  /** From 1, blank lines counted. */
  readonly number: number;
}

/** Lines that are not blank; LF and CRLF alike, a last line end optional. */
export function* textLines(text: string): Generator<TextLine> {
  let number = 0;
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end);
    number++;
    start = end + 1;
    const bare = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (bare.trim() !== '') yield { text: bare, number };
  }
}

/** Line and column of an offset, both from 1; columns count UTF-16 units as editors do. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}
