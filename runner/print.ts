/**
 * Text for people, only on rank 0. A reader that went away, a full disk or a reader that no longer reads costs text,
 * never the run: nothing here throws, and nothing waits for long. Written at once, because an exit loses what a stream
 * still holds.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { codeOf } from './errors.js';

/** How long one call waits for a slow reader. Once in vain, later calls write only what is taken at once. */
const PATIENCE_MS = 2000;
const NAP_MS = 5;
/** Of text that a slow reader has not taken: more than this is dropped. */
const MAX_WAITING_BYTES = 64 * 1024;

/** One of the two standard outputs. */
class Output {
  readonly #standard: 1 | 2;
  #descriptor: number | undefined;
  #waiting = Buffer.alloc(0);
  #isReaderSlow = false;
  #isGone = false;

  constructor(standard: 1 | 2) {
    this.#standard = standard;
  }

  /** Whole lines; `patient` waits a little for a reader that is busy, the other drops what it does not take. */
  write(text: string, { patient }: { readonly patient: boolean }): void {
    if (this.#isGone) return;
    const bytes = Buffer.from(text, 'utf8');
    // Only whole texts are dropped: half a line would spoil the next.
    if (this.#waiting.length > MAX_WAITING_BYTES) return;
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    const endsAt = performance.now() + (patient && !this.#isReaderSlow ? PATIENCE_MS : 0);
    while (!this.#flush()) {
      if (performance.now() >= endsAt) {
        this.#isReaderSlow ||= patient;
        return;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAP_MS);
    }
    this.#isReaderSlow = false;
  }

  /** True when nothing waits any more, be it written or given up. */
  #flush(): boolean {
    try {
      while (this.#waiting.length > 0) {
        this.#descriptor ??= withoutBlocking(this.#standard);
        this.#waiting = this.#waiting.subarray(writeSync(this.#descriptor, this.#waiting));
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EAGAIN') return false;
      // A disk may have space again for the next text; a reader that went away does not come back.
      this.#isGone = code === 'EPIPE' || code === 'EBADF' || code === 'ECONNRESET';
      this.#waiting = Buffer.alloc(0);
    }
    return true;
  }
}

/**
 * A descriptor whose writes do not block. Pipes and terminals are reopened, because O_NONBLOCK on the inherited
 * description would reach everyone who shares it; files do not block, and sockets cannot be opened by name.
 */
function withoutBlocking(standard: 1 | 2): number {
  try {
    const kind = fstatSync(standard);
    if (!kind.isFIFO() && !kind.isCharacterDevice()) return standard;
    return openSync(
      `/proc/self/fd/${standard}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    /* v8 ignore next -- another machine */
    return standard;
  }
}

const standardOutput = new Output(1);
const standardError = new Output(2);

export function printOut(text: string): void {
  standardOutput.write(withNewline(text), { patient: true });
}

export function printError(text: string): void {
  standardError.write(withNewline(text), { patient: true });
}

/** Standard error for progress: a stream whose writes never fail and never wait. What is not taken at once is dropped. */
export function standardErrorStream(): NodeJS.WritableStream & { readonly isTTY: boolean } {
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, _encoding, done) => {
      standardError.write(String(chunk), { patient: false });
      done();
    },
  });
  const { isTTY = false, columns } = process.stderr;
  return Object.assign(stream, { isTTY, columns });
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
