/** Logs: JSON lines by pino, a file per rank in the run's folder. The console is for people and for rank 0 alone. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { outputError } from './system-failure.js';

/** Keeps lines until the run's folder exists, then writes them there as they come. */
export class LogFile {
  #descriptor: number | undefined;
  #waiting: string[] = [];
  #isCut = false;

  /** Called by pino with one whole line. A log that cannot be written never ends a run. */
  write(line: string): void {
    if (this.#descriptor === undefined) {
      if (this.#waiting.length < 1000) this.#waiting.push(line);
      return;
    }
    try {
      const bytes = Buffer.from(this.#isCut ? `\n${line}` : line, 'utf8');
      // What a disk that is filling up takes of a line is not a line: the next one starts afresh.
      this.#isCut = writeSync(this.#descriptor, bytes) < bytes.length;
    } catch {
      // A full disk may have room again: the next line is tried.
    }
  }

  /** Throws E_OUTPUT where the file cannot be made: a folder without room for it has none for rows either. */
  open(folder: string, rank: number): void {
    const path = join(folder, `rank-${String(rank).padStart(4, '0')}.log`);
    try {
      this.#descriptor = openSync(path, 'a', 0o644);
    } catch (error) {
      throw outputError(`${path} cannot be made`, error);
    }
    for (const line of this.#waiting.splice(0)) this.write(line);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#waiting = [];
  }
}

export function createLog(file: LogFile, bindings: Record<string, unknown>): Logger {
  return pino({ level: 'info', base: bindings, timestamp: pino.stdTimeFunctions.isoTime }, file);
}
