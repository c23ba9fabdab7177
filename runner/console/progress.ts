/** Progress on rank 0: a bar where a person watches, else one plain line per point. Other ranks have none. */
import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.js';

export interface PointProgress {
  readonly jobId: string;
  /** Of the whole run, from 0. */
  readonly point: number;
  readonly sweptText: string;
}

export interface Progress {
  start(point: PointProgress): void;
  /** `text`: how far the point is that was started. */
  within(point: PointProgress, text: string): void;
  end(point: PointProgress, status: string): void;
  /** Leaves the cursor on a fresh line. Idempotent. */
  stop(): void;
}

/** `stream` is where it goes, usually stderr: stdout belongs to the table. */
export function createProgress(
  total: number,
  terminal: Terminal,
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean },
): Progress {
  // A launcher may hand this rank a pipe although a person watches at the other end: a bar cannot redraw there.
  return terminal.interactive && stream.isTTY === true
    ? new BarProgress(total, stream)
    : new LineProgress(total, stream);
}

class BarProgress implements Progress {
  readonly #bar: SingleBar;
  #troubled = 0;
  #done = 0;

  constructor(total: number, stream: NodeJS.WritableStream) {
    const format = '{bar} {value}/{total} {what} {trouble}';
    this.#bar = new SingleBar(
      { format, stream, hideCursor: true, barsize: 24, etaBuffer: 50 },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0, { what: '', trouble: '' });
  }

  start(point: PointProgress): void {
    this.#bar.update(this.#done, { what: describePoint(point) });
  }

  within(point: PointProgress, text: string): void {
    this.#bar.update(this.#done, { what: `${describePoint(point)}: ${text}` });
  }

  end(point: PointProgress, status: string): void {
    if (isTrouble(status)) this.#troubled += 1;
    this.#done += 1;
    const trouble = this.#troubled > 0 ? `(${this.#troubled} not ok)` : '';
    this.#bar.update(this.#done, { what: describePoint(point), trouble });
  }

  stop(): void {
    this.#bar.stop();
  }
}

/** Between two lines of one point: a log of a long replay shows that it goes on. */
const LINE_EVERY_MS = 10_000;

class LineProgress implements Progress {
  readonly #total: number;
  readonly #stream: NodeJS.WritableStream;
  #saidMs = 0;

  constructor(total: number, stream: NodeJS.WritableStream) {
    this.#total = total;
    this.#stream = stream;
  }

  start(): void {
    // A line at the end says enough, and halves the log of a long sweep.
    this.#saidMs = performance.now();
  }

  within(point: PointProgress, text: string): void {
    if (performance.now() - this.#saidMs < LINE_EVERY_MS) return;
    this.#saidMs = performance.now();
    this.#stream.write(`[${point.point + 1}/${this.#total}] ${describePoint(point)}: ${text}\n`);
  }

  end(point: PointProgress, status: string): void {
    this.#stream.write(`[${point.point + 1}/${this.#total}] ${describePoint(point)}: ${status}\n`);
  }

  stop(): void {
    // Every line is whole already.
  }
}

function isTrouble(status: string): boolean {
  return status !== 'ok' && status !== 'idle' && status !== 'skipped';
}

function describePoint(point: PointProgress): string {
  return point.sweptText === '' ? point.jobId : `${point.jobId} ${point.sweptText}`;
}
