/** The files that a spec names (model configurations, traces), found and read once however many points ask. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';

export interface NamedFile {
  readonly text: string;
  /**
   * Absolute where the spec said so, else relative to the working folder, which launchers keep for every rank. So
   * the digest of a spec does not depend on where a checkout lies.
   */
  readonly path: string;
  readonly sha256: string;
}

export type FileAnswer = { readonly file: NamedFile } | { readonly received: string; readonly hint: string };

/** Looks a relative path up beside the spec first, then in the working folder. */
export class SpecFiles {
  readonly #folders: readonly string[];
  readonly #answers = new Map<string, FileAnswer>();

  constructor(folders: readonly string[]) {
    this.#folders = [...new Set(folders.map((folder) => resolve(folder)))];
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

  #look(path: string, limitBytes: number): FileAnswer {
    const places = isAbsolute(path) ? [path] : this.#folders.map((folder) => resolve(folder, path));
    let refusal: FileAnswer | undefined;
    for (const place of places) {
      try {
        const found = statSync(place);
        if (!found.isFile()) {
          refusal ??= { received: `${place}, which is not a file`, hint: 'name a regular file' };
          continue;
        }
        if (found.size > limitBytes) {
          refusal ??= {
            received: `${place} of ${found.size} bytes`,
            hint: `at most ${limitBytes} bytes are read`,
          };
          continue;
        }
        const bytes = readFileSync(place);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        const shown = isAbsolute(path) ? path : relative(process.cwd(), place);
        return { file: { text: bytes.toString('utf8'), path: shown, sha256 } };
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? String(error);
        if (code !== 'ENOENT' && code !== 'ENOTDIR') {
          refusal ??= { received: `${place}: ${code}`, hint: 'make the file readable for this user' };
        }
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
