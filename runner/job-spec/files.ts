/** The files that a spec names (model configurations, traces, routing), found and read once however many points ask. */
import { isAbsolute, relative, resolve } from 'node:path';
import { digestFile, readTextFile, TextFileError } from '../text/text-file.js';

export interface NamedFile {
  readonly text: string;
  /** As the spec has it: what a resolved spec keeps, so that its digest does not depend on the working folder. */
  readonly path: string;
  readonly sha256: string;
}

/** A file that is read later, only by rank 0. */
export interface LocatedFile {
  readonly place: string;
  readonly path: string;
  readonly sha256: string;
}

export type LocatedAnswer = { readonly file: LocatedFile } | Refusal;

interface Refusal {
  readonly received: string;
  readonly hint: string;
}

export type FileAnswer = { readonly file: NamedFile } | Refusal;

/**
 * sha256 -> where the file lies: absolute where the spec said so, else relative to the working folder, which
 * launchers keep for every rank. Travels with a resolved spec and is not a part of its text.
 */
export type FilePlaces = Readonly<Record<string, string>>;

/** Looks a relative path up next to the spec first, then in the working folder. */
export class SpecFiles {
  readonly #folders: readonly string[];
  readonly #answers = new Map<string, FileAnswer>();
  readonly #located = new Map<string, LocatedAnswer>();
  readonly #places: Record<string, string> = {};

  constructor(folders: readonly string[]) {
    this.#folders = [...new Set(folders.map((folder) => resolve(folder)))];
  }

  /** Of every file read so far. */
  get places(): FilePlaces {
    return this.#places;
  }

  read(path: string, limitBytes: number): FileAnswer {
    const key = JSON.stringify([path, limitBytes]);
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = this.#look(path, limitBytes);
      this.#answers.set(key, answer);
    }
    return answer;
  }

  /** Where a file of any size lies, and its digest. */
  locate(path: string): LocatedAnswer {
    const known = this.#located.get(path);
    if (known !== undefined) return known;
    const answer = this.#search(path, (place) => ({ place, path, sha256: digestFile(place) }));
    this.#located.set(path, answer);
    return answer;
  }

  #look(path: string, limitBytes: number): FileAnswer {
    return this.#search(path, (place) => ({ ...readTextFile(place, limitBytes), path }));
  }

  #search<T extends { readonly sha256: string }>(
    path: string,
    read: (place: string) => T,
  ): { readonly file: T } | Refusal {
    const places = isAbsolute(path) ? [path] : this.#folders.map((folder) => resolve(folder, path));
    let refusal: Refusal | undefined;
    for (const place of places) {
      try {
        const file = read(place);
        this.#places[file.sha256] ??= isAbsolute(path) ? path : relative(process.cwd(), place);
        return { file };
      } catch (error) {
        if (!(error instanceof TextFileError)) throw error;
        if (!error.absent) refusal ??= { received: `${place}: ${error.received}`, hint: error.hint };
      }
    }
    return (
      refusal ?? {
        received: `${JSON.stringify(path)}, not found`,
        hint: `looked for ${places.join(' and ')}`,
      }
    );
  }
}

/** The file that rank 0 read, read again on this rank; a message where it is not there or another one. */
export function rereadFile(
  file: { readonly path: string; readonly sha256: string },
  places: FilePlaces,
  limitBytes: number,
): { readonly text: string } | { readonly wrong: string } {
  const place = places[file.sha256] ?? file.path;
  const remedy = "give every rank's host the same file";
  try {
    const { text, sha256 } = readTextFile(place, limitBytes);
    if (sha256 === file.sha256) return { text };
    const expected = `expected sha256 ${file.sha256}, as rank 0 read it`;
    return { wrong: `${place} on this rank: ${expected}, received ${sha256}: ${remedy}` };
  } catch (error) {
    if (!(error instanceof TextFileError)) throw error;
    return { wrong: `${place} on this rank: ${error.received}: ${remedy}` };
  }
}
