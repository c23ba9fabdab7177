/** Lines of a text that arrives in pieces. */
import { RunnerError } from '../../runner/errors.js';
import type { TextLine } from '../../runner/text/text-file.js';

/** Of one line: the longest request of the known traces has some ten thousand ids. */
const LONGEST_LINE_CHARACTERS = 64 * 1024 * 1024;

/** Lines that are not blank, in batches; LF and CRLF alike, a last line end optional. */
export async function* streamLines(
  bytes: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<readonly TextLine[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let number = 0;
  const decode = (piece?: Uint8Array): string => {
    try {
      return piece === undefined ? decoder.decode() : decoder.decode(piece, { stream: true });
    } catch (cause) {
      const where = `${path}: bytes that are not UTF-8 behind line ${number}`;
      throw new RunnerError('E_TRACE', `${where}, expected text; is this a request trace?`, { cause });
    }
  };
  const take = (text: string): TextLine[] => {
    const lines: TextLine[] = [];
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      number++;
      const bare = text.slice(start, text[end - 1] === '\r' ? end - 1 : end);
      start = end + 1;
      if (bare.trim() !== '') lines.push({ text: bare, number });
    }
    rest = text.slice(start);
    if (rest.length <= LONGEST_LINE_CHARACTERS) return lines;
    throw new RunnerError(
      'E_TRACE',
      `${path}, line ${number + 1}: more than ${LONGEST_LINE_CHARACTERS} characters, expected one request; is this a trace?`,
    );
  };
  for await (const piece of bytes) {
    const lines = take(rest + decode(piece));
    if (lines.length > 0) yield lines;
  }
  const last = take(`${rest}${decode()}\n`);
  if (last.length > 0) yield last;
}
