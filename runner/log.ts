/** Logs: JSON lines by pino, a file per rank in the run's folder. The console is for people and only for rank 0. */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { outputError } from './system-failure.js';

/** Lines that a file system which does not answer keeps waiting: later ones are dropped. */
const MOST_WAITING = 1000;

/** Keeps lines until the run's folder exists, then writes them there as they come. It never holds the main thread. */
export class LogFile {
  #handle: FileHandle | undefined;
  #waiting: string[] = [];
  #isCut = false;
  #writing: Promise<void> | undefined;

  /** Called by pino with one whole line. A log that cannot be written never ends a run. */
  write(line: string): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(line);
    void this.flush();
  }

  /** Rejects with E_OUTPUT where the file cannot be made: a folder without space for it has none for rows either. */
  async open(folder: string, rank: number): Promise<void> {
    const path = join(folder, `rank-${String(rank).padStart(4, '0')}.log`);
    try {
      this.#handle = await open(path, 'a', 0o644);
    } catch (error) {
      throw outputError(`${path} cannot be made`, error);
    }
    await this.flush();
  }

  /** Resolves when all lines so far are written or given up; bounded by nothing but the file system. Never rejects. */
  flush(): Promise<void> {
    this.#writing ??= this.#writeWaiting().finally(() => (this.#writing = undefined));
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(/* v8 ignore next -- failing disk */ () => undefined);
  }

  async #writeWaiting(): Promise<void> {
    while (this.#handle && this.#waiting.length > 0) {
      /* v8 ignore next -- failing disk */
      const begin = this.#isCut ? '\n' : '';
      const bytes = Buffer.from(begin + this.#waiting.splice(0).join(''), 'utf8');
      try {
        // What a disk that is filling up takes of a line is not a line: the next one starts afresh.
        const { bytesWritten } = await this.#handle.write(bytes);
        this.#isCut = bytesWritten < bytes.length;
      } catch {
        // A full disk may have space again: the next line is tried.
      }
    }
  }
}

export function createLog(file: LogFile, bindings: Record<string, unknown>): Logger {
  return pino({ level: 'info', base: bindings, timestamp: pino.stdTimeFunctions.isoTime }, file);
}
