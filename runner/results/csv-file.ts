/**
 * A CSV file that is only ever extended by whole rows. A point's rows are written at once; a write that fails half way
 * is cut back to the last whole row, and its rows wait in memory for the next try, so that a full disk loses nothing
 * that was measured as long as it is freed before the run ends. Nothing here blocks the main thread.
 */
import { constants } from 'node:fs';
import { open, rename, writeFile, type FileHandle } from 'node:fs/promises';
import { stringify } from 'csv-stringify/sync';
import { HangingFileError, UnwrittenRowsError } from './output-errors.js';
import { outputError, wordsOf } from '../system-failure.js';
import { RunnerError, codeOf } from '../errors.js';
import { within } from '../within.js';
import type { ColumnDefinition } from './columns.js';
import type { Row } from './fields.js';

const CLOSE_WITHIN_MS = 30_000;

export interface CloseOptions {
  /** False leaves the file to the kernel, for exits that have no time. Default true. */
  readonly sync?: boolean;
  /** After this a file system counts as hanging. Default 30 s: an NFS server is back within that, or lost. */
  readonly withinMs?: number;
}

export class CsvFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #names: readonly string[];
  readonly #known: ReadonlySet<string>;
  /** Text of whole rows that is not in the file yet. */
  #pending: string[] = [];
  /** Rows that are not text yet: one call of stringify() for many is a hundred times faster than one for each. */
  #records: unknown[][] = [];
  #wholeBytes = 0;
  #queue: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  #failure: unknown = null;
  #syncFailure: unknown = null;
  /** What somebody else did to the file. */
  #damage: string | null = null;
  #closed = false;
  #flushed: Promise<void> | undefined;
  #released: Promise<void> | undefined;
  #isReported = false;

  private constructor(path: string, handle: FileHandle, columns: readonly ColumnDefinition[]) {
    this.path = path;
    this.#handle = handle;
    this.#names = columns.map((column) => column.name);
    this.#known = new Set(this.#names);
  }

  /** Creates the file and writes its header. Rejects with E_RUN_EXISTS where it is there, else with E_OUTPUT. */
  static async open(path: string, columns: readonly ColumnDefinition[]): Promise<CsvFile> {
    const handle = await openExclusive(path);
    const file = new CsvFile(path, handle, columns);
    file.#pending.push(stringify([[...file.#names]]));
    await file.flush();
    if (file.#failure !== null) {
      await handle.close();
      throw outputError(`${path} cannot be written`, file.#failure);
    }
    return file;
  }

  /**
   * Goes on in the file of an earlier run: `records` are what stays of it, put in place by one rename, and new rows
   * follow. Rejects with E_OUTPUT.
   */
  static async resume(
    path: string,
    columns: readonly ColumnDefinition[],
    records: readonly (readonly string[])[],
  ): Promise<CsvFile> {
    const next = `${path}.next`;
    const text = Buffer.from(
      stringify([columns.map((column) => column.name), ...records.map((row) => [...row])]),
    );
    try {
      await writeFile(next, text, { flush: true });
      await rename(next, path);
      const file = new CsvFile(path, await open(path, 'r+'), columns);
      file.#wholeBytes = text.length;
      return file;
    } catch (error) {
      throw outputError(`${path} cannot be written`, error);
    }
  }

  /** Takes a point's rows; they are in the file when the promise resolves, or kept for later. Never rejects;
   *  throws E_STATE for a value without a column and after close(). */
  append(rows: readonly Row[]): Promise<void> {
    if (this.#closed) throw new RunnerError('E_STATE', `${this.path} is closed: rows come before close()`);
    for (const row of rows) this.#refuseUnknown(row);
    const records = rows.map((row) => this.#names.map((name) => row[name] ?? ''));
    this.#records.push(...records);
    return this.flush();
  }

  /** The newest write's failure, in words; null while everything that was appended is in the file. */
  get failure(): RunnerError | null {
    if (this.#failure === null) return null;
    return outputError(
      `${this.path} cannot be written; its rows are kept in memory and tried again`,
      this.#failure,
    );
  }

  /** Tries again what has not been written. Never rejects. */
  flush(): Promise<void> {
    this.#queue = this.#queue.then(() => this.#writePending());
    return this.#queue;
  }

  /** Asks for the file to reach the disk, behind what was appended so far; returns at once. */
  sync(): void {
    const written = this.#queue;
    this.#syncing = Promise.all([this.#syncing, written]).then(async () => {
      await this.#handle.datasync().catch(this.#noteSync);
    });
  }

  /**
   * Last try, sync, close; may be called again, by an end that has less time. Rejects with UnwrittenRowsError where rows
   * are left over, and with E_OUTPUT where the file is not whole or may not have reached the disk; once.
   */
  async close({ sync = true, withinMs = CLOSE_WITHIN_MS }: CloseOptions = {}): Promise<void> {
    this.#closed = true;
    this.#flushed ??= this.flush().then(() => this.#lookForDamage((size) => size !== this.#wholeBytes));
    this.#released ??= this.#flushed.then(() => this.#release(sync));
    // close() waits for a sync that is in flight, for which a signalled exit has no time.
    const isInTime = await within(withinMs, sync ? this.#released : this.#flushed);
    const failure = this.#failureOfClose(isInTime ? null : new HangingFileError(this.path, withinMs));
    if (failure === null || this.#isReported) return;
    this.#isReported = true;
    throw failure;
  }

  /** The first failure counts. */
  /* v8 ignore next 3 -- failing disk */
  readonly #noteSync = (error: unknown): void => {
    this.#syncFailure ??= error;
  };

  async #release(sync: boolean): Promise<void> {
    if (sync) this.sync();
    await this.#syncing;
    await this.#handle.close().catch(this.#noteSync);
  }

  #failureOfClose(hanging: HangingFileError | null): RunnerError | null {
    this.#toText();
    if (this.#pending.length > 0) {
      const why = hanging
        ? hanging.message
        : `${this.path} ends early: ${wordsOf(this.#failure)}; free the disk`;
      // A write that hangs may still get through one day.
      const then = hanging
        ? 'Rows that are missing there can be added by hand'
        : ', then add the rows by hand';
      const cause = hanging ?? this.#failure;
      return new UnwrittenRowsError(
        `${why}${hanging ? ' ' : ''}${then}`,
        this.path,
        this.#pending.join(''),
        cause,
      );
    }
    if (this.#damage !== null) {
      return new RunnerError('E_OUTPUT', `${this.path} ${this.#damage}: its rows are not whole; run again`);
    }
    /* v8 ignore start -- failing disk */
    if (hanging) return hanging;
    return this.#syncFailure === null
      ? null
      : outputError(`${this.path} may not have reached the disk`, this.#syncFailure);
    /* v8 ignore stop */
  }

  #toText(): void {
    if (this.#records.length > 0) this.#pending.push(stringify(this.#records.splice(0)));
  }

  async #writePending(): Promise<void> {
    this.#toText();
    if (this.#pending.length === 0) return;
    const count = this.#pending.length;
    const bytes = Buffer.from(this.#pending.join(''));
    // A file that was cut would be filled up with zeros, and have its right size again.
    await this.#lookForDamage((size) => size < this.#wholeBytes);
    try {
      let done = 0;
      while (done < bytes.length) {
        const { bytesWritten } = await this.#handle.write(bytes, done, null, this.#wholeBytes + done);
        if (bytesWritten === 0) throw new Error('write took no bytes');
        done += bytesWritten;
      }
      this.#wholeBytes += bytes.length;
      this.#pending.splice(0, count);
      this.#failure = null;
    } catch (error) {
      this.#failure = error;
      await this.#handle
        .truncate(this.#wholeBytes)
        .catch(/* v8 ignore next -- failing disk */ () => undefined);
    }
  }

  async #lookForDamage(isWrong: (size: number) => boolean): Promise<void> {
    /* v8 ignore next 2 -- failing disk */
    const facts = await this.#handle.stat().catch(() => null);
    if (!facts) return;
    if (facts.nlink === 0) this.#damage ??= 'was deleted or replaced while the run was writing it';
    else if (isWrong(facts.size)) {
      this.#damage ??= `was changed by somebody else: it has ${facts.size} bytes where ${this.#wholeBytes} were written`;
    }
  }

  /** A value without a column would vanish silently. */
  #refuseUnknown(row: Row): void {
    const stranger = Object.keys(row).find((name) => !this.#known.has(name));
    if (stranger !== undefined) {
      throw new RunnerError(
        'E_STATE',
        `${this.path}: a row has ${stranger}, which is not a column: declare it with the kind`,
      );
    }
  }
}

async function openExclusive(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      throw new RunnerError(
        'E_RUN_EXISTS',
        `${path} is there already: choose another --run-id; nothing was overwritten`,
        {
          cause: error,
        },
      );
    }
    throw outputError(`${path} cannot be created`, error);
  }
}
