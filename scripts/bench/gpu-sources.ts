/** Which code runs on GPUs, as one digest: it tells whether tables and tests are of the code as it is. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Literals are kept as they are; a comment, or a run of white space, becomes one space. */
const TOKENS = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')|(?:\/\/[^\n]*|\/\*[^]*?\*\/|\s+)+/g;

/** C++ without its comments and line breaks. */
export const codeOf = (text: string): string =>
  text.replace(TOKENS, (_, literal: string | undefined) => literal ?? ' ').trim();

/** Names and code of all GPU sources below native/, tests left out. 16 hex digits. */
export function gpuSourcesDigest(root: string): string {
  const native = join(root, 'native');
  const files = readdirSync(native, { recursive: true, encoding: 'utf8' })
    .filter(
      (path) =>
        /(^|\/)cuda\/.*\.\w+$|\.cuh?$/.test(path) && !path.startsWith('test/') && !path.startsWith('bench/'),
    )
    .map((path) => `native/${path}`)
    .sort();
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\0${codeOf(readFileSync(join(root, file), 'utf8'))}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}
