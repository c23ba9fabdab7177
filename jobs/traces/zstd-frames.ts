/**
 * Decompresses the frames of a .zst file one by one and checks each against its checksum (RFC 8878, section 3.1).
 * fzstd 0.1.1 decodes blocks but passes over checksums, so that a flipped bit would be read as another trace; and it
 * takes the window that a header asks for, however large. The frames' limits are therefore found here.
 */
import { Decompress } from 'fzstd';
import type { XXHash } from 'xxhash-wasm';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAGIC_BYTES = 4;
/** What the zstd program reads without --memory or --long. */
const MOST_WINDOW_BYTES = 128 * 1024 * 1024;
const BLOCK_HEADER_BYTES = 3;
const RUN_LENGTH_BLOCK = 1;
const CHECKSUM_BYTES = 4;

/** `head`: the first bytes of a file, at least four. */
export function isZstd(head: Buffer): boolean {
  if (head.length < MAGIC_BYTES) return false;
  const magic = head.readUInt32LE();
  return magic === FRAME_MAGIC || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return (magic & ~0xf) === SKIPPABLE_MAGIC;
}

/** Bytes that the header of a frame has, by the descriptor behind the magic. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return MAGIC_BYTES + 1 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
}

/** Bytes of the window that a decoder must keep: content size of a single segment, else exponent and mantissa. */
function windowBytes(header: Buffer): number {
  const descriptor = header.readUInt8(MAGIC_BYTES);
  if ((descriptor & 0x20) === 0) {
    const window = header.readUInt8(MAGIC_BYTES + 1);
    return 2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8);
  }
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 1;
  const at = header.length - sizeBytes;
  if (sizeBytes === 8) return Number(header.readBigUInt64LE(at));
  // 256 more where it has two bytes, which is nothing against the limit.
  return header.readUIntLE(at, sizeBytes);
}

type Field = 'magic' | 'header' | 'skippableSize' | 'skippable' | 'blockHeader' | 'block' | 'checksum';

export class ZstdFrames {
  private field: Field = 'magic';
  /** What has come of the field, where its value matters. */
  private value = Buffer.alloc(0);
  private missingBytes = MAGIC_BYTES;
  private isLastBlock = false;
  private hasChecksum = false;
  private pieces: Uint8Array[] = [];
  private hash: XXHash<bigint> | undefined;
  private decoder = this.newDecoder();

  private readonly startHash: (() => XXHash<bigint>) | null;

  /** `startHash`: starts an XXH64 of seed 0. null: contents are not checked, where a file is looked at in part. */
  constructor(startHash: (() => XXHash<bigint>) | null) {
    this.startHash = startHash;
  }

  /** Whether all that was pushed ends with a frame. */
  get isAtEnd(): boolean {
    return this.field === 'magic' && this.value.length === 0;
  }

  /** The contents that `chunk` completes. Throws an Error that says what of the format is not kept. */
  push(chunk: Uint8Array): Uint8Array[] {
    let at = 0;
    while (at < chunk.length) {
      const piece = chunk.subarray(at, at + this.missingBytes);
      at += piece.length;
      this.missingBytes -= piece.length;
      if (this.field === 'block') this.decode(piece, false);
      else if (this.field !== 'skippable') this.value = Buffer.concat([this.value, piece]);
      // A block or skippable frame of no bytes is complete without one.
      while (this.missingBytes === 0) this.completeField();
    }
    return this.pieces.splice(0);
  }

  private completeField(): void {
    const value = this.value;
    switch (this.field) {
      case 'magic':
        return this.completeMagic(value.readUInt32LE());
      case 'skippableSize':
        return this.expect('skippable', value.readUInt32LE());
      case 'skippable':
        return this.expect('magic', MAGIC_BYTES);
      case 'header':
        return this.completeHeader(value);
      case 'blockHeader':
        return this.completeBlockHeader(value);
      case 'block':
        return this.completeBlock();
      case 'checksum':
        return this.completeFrame(value.readUInt32LE());
    }
  }

  private expect(field: Field, bytes: number): void {
    this.field = field;
    this.value = Buffer.alloc(0);
    this.missingBytes = bytes;
  }

  private completeMagic(magic: number): void {
    if (isSkippable(magic)) return this.expect('skippableSize', 4);
    if (magic !== FRAME_MAGIC) {
      throw new Error(`expected a frame, received bytes that begin none (0x${magic.toString(16)})`);
    }
    const kept = this.value;
    this.expect('header', 1);
    this.value = kept;
  }

  private completeHeader(header: Buffer): void {
    const descriptor = header.readUInt8(MAGIC_BYTES);
    this.missingBytes = headerBytes(descriptor) - header.length;
    if (this.missingBytes > 0) return;
    const window = windowBytes(header);
    if (window > MOST_WINDOW_BYTES) {
      throw new Error(
        `expected a window of at most ${MOST_WINDOW_BYTES} bytes, received a frame that needs ${window}; compress it without --long`,
      );
    }
    this.hasChecksum = (descriptor & 4) !== 0;
    this.hash = this.hasChecksum ? this.startHash?.() : undefined;
    this.decoder = this.newDecoder();
    this.decode(header, false);
    this.expect('blockHeader', BLOCK_HEADER_BYTES);
  }

  private newDecoder(): Decompress {
    return new Decompress((piece) => {
      // The library gives views of a window that it goes on to overwrite.
      if (piece.length > 0) this.pieces.push(piece.slice());
      this.hash?.update(piece);
    });
  }

  private completeBlockHeader(header: Buffer): void {
    const bits = header.readUIntLE(0, BLOCK_HEADER_BYTES);
    this.isLastBlock = (bits & 1) !== 0;
    const isRunLength = ((bits >> 1) & 3) === RUN_LENGTH_BLOCK;
    this.decode(header, false);
    this.expect('block', isRunLength ? 1 : bits >> 3);
  }

  private completeBlock(): void {
    if (!this.isLastBlock) return this.expect('blockHeader', BLOCK_HEADER_BYTES);
    if (this.hasChecksum) return this.expect('checksum', CHECKSUM_BYTES);
    this.decode(new Uint8Array(), true);
    this.expect('magic', MAGIC_BYTES);
  }

  private completeFrame(expected: number): void {
    this.decode(this.value, true);
    const found = Number((this.hash?.digest() ?? BigInt(expected)) & 0xffffffffn);
    if (found !== expected) {
      throw new Error(`expected contents of checksum ${expected}, received ${found}`);
    }
    this.expect('magic', MAGIC_BYTES);
  }

  private decode(bytes: Uint8Array, isLast: boolean): void {
    this.decoder.push(bytes, isLast);
  }
}
