/** A request trace as a stream: memory does not grow with its length. */
import { RunnerError } from '../../runner/errors.js';
import type { TextLine } from '../../runner/text/text-file.js';
import { BlockTokens } from './block-tokens.js';
import { readBytes } from './compressed-file.js';
import { formatOf, KNOWN_FORMATS, type TraceFormat } from './formats.js';
import { streamLines } from './line-stream.js';
import type { TraceRequest } from './request.js';

/** A file of another kind is wrong on every line: the first few tell. */
const MOST_TOLD = 10;
/** Requests by which the tokens of a block are told where nobody says them. */
const JUDGED_REQUESTS = 1000;

export interface TraceReading {
  /** Tokens of a block; absent: derived from the first requests. */
  readonly blockTokens?: number | undefined;
  /** Requests to pass over, and to take at most. */
  readonly skip?: number;
  readonly limit?: number;
  /** Times are divided by it. */
  readonly speedup?: number;
  /** A wrong line ends the reading, or is counted and passed over. */
  readonly onBadLine?: 'refuse' | 'count';
}

export interface Trace {
  readonly format: TraceFormat;
  /** Of an id; null where the format has no blocks. */
  readonly blockTokens: number | null;
  /** Lines passed over so far, and the first few of them: "line 17: ...". */
  readonly badLines: { count: number; readonly told: string[] };
  /** In batches. Times count from the first request taken, whose own is 0. */
  readonly requests: AsyncGenerator<readonly TraceRequest[]>;
  /** Gives the file back. Requests that were read to their end, or whose reading failed, have done so. */
  close(): Promise<void>;
}

type Numbered = TraceRequest & { readonly line: number };

class Reading {
  readonly badLines = { count: 0, told: [] as string[] };
  readonly tokens: BlockTokens;
  readonly #path: string;
  readonly #format: TraceFormat;
  readonly #options: TraceReading;
  readonly #parse: ReturnType<TraceFormat['parser']>;
  #previousMs = 0;

  constructor(path: string, format: TraceFormat, options: TraceReading) {
    this.#path = path;
    this.#format = format;
    this.#options = options;
    this.#parse = format.parser();
    this.tokens = new BlockTokens(format.lastBlockHasId);
  }

  parse(lines: readonly TextLine[]): Numbered[] {
    const requests: Numbered[] = [];
    const wrong: string[] = [];
    for (const { text, number } of lines) {
      const request = this.#parse(text, this.#previousMs);
      if ('wrong' in request) {
        wrong.push(`line ${number}: ${request.wrong}`);
        continue;
      }
      this.#previousMs = request.timestampMs;
      requests.push(Object.assign(request, { line: number }));
    }
    this.#judge(wrong, '');
    return requests;
  }

  /** Those whose ids fit their lengths. */
  fitting(requests: readonly Numbered[], blockTokens: number | null): readonly Numbered[] {
    if (blockTokens === null) return requests;
    const wrong: string[] = [];
    const fit = requests.filter((request) => {
      const misfit = this.tokens.misfit(request, blockTokens);
      if (misfit === null) return true;
      wrong.push(`line ${request.line}: ${misfit}`);
      if (this.#options.onBadLine !== 'count') this.tokens.add(request);
      return false;
    });
    this.#judge(wrong, wrong.length > 0 ? `; ${this.tokens.hint('the tokens of a block')}` : '');
    return fit;
  }

  #judge(wrong: readonly string[], hint: string): void {
    if (wrong.length === 0) return;
    this.badLines.count += wrong.length;
    const told = wrong.slice(0, MOST_TOLD - this.badLines.told.length);
    this.badLines.told.push(...told);
    if (this.#options.onBadLine === 'count') return;
    throw new RunnerError('E_TRACE', `${this.#path} (${this.#format.name}): ${told.join('; ')}${hint}`);
  }
}

/** Opens a trace and tells its format. Throws E_TRACE, also while its requests are read. */
export async function openTrace(path: string, options: TraceReading = {}): Promise<Trace> {
  const batches = streamLines(readBytes(path), path);
  try {
    return await beginTrace(path, batches, options);
  } catch (error) {
    // A file that is refused is not kept open.
    await batches.return(undefined);
    throw error;
  }
}

async function beginTrace(
  path: string,
  batches: AsyncGenerator<readonly TextLine[]>,
  options: TraceReading,
): Promise<Trace> {
  const first = await batches.next();
  let lines: readonly TextLine[] = first.done === true ? [] : first.value;
  const [head] = lines;
  if (head === undefined)
    throw new RunnerError('E_TRACE', `${path}: expected ${KNOWN_FORMATS}, received no line`);
  const format = formatOf(head.text);
  if ('wrong' in format) {
    throw new RunnerError(
      'E_TRACE',
      `${path}, line ${head.number}: ${format.wrong}; expected ${KNOWN_FORMATS}`,
    );
  }
  const reading = new Reading(path, format, options);
  if (format.hasHeader) lines = lines.slice(1);
  // Enough of them to tell the tokens of a block by.
  const judged = [...reading.parse(lines)];
  while (judged.length < JUDGED_REQUESTS) {
    const next = await batches.next();
    if (next.done === true) break;
    judged.push(...reading.parse(next.value));
  }
  const blockTokens = tellBlockTokens(path, format, judged, reading, options);
  const requests = take(reading, judged, batches, blockTokens, options);
  return {
    format,
    blockTokens,
    badLines: reading.badLines,
    requests,
    close: async () => {
      await requests.return(undefined);
      // Requests that nobody asked for have not begun, and end without a word to what they read.
      await batches.return(undefined);
    },
  };
}

function tellBlockTokens(
  path: string,
  format: TraceFormat,
  judged: readonly TraceRequest[],
  reading: Reading,
  options: TraceReading,
): number | null {
  if (format.usualBlockTokens === null) return null;
  if (options.blockTokens !== undefined) return options.blockTokens;
  const usual = format.usualBlockTokens;
  const tokens = new BlockTokens(format.lastBlockHasId, judged);
  const told = tokens.derive(usual);
  if (told !== undefined) return told;
  // One wrong line among good ones must not hide what the good ones say.
  const fits = judged.filter((request) => reading.tokens.misfit(request, usual) === null).length;
  if (2 * fits > judged.length) return usual;
  throw new RunnerError(
    'E_TRACE',
    `${path}: expected one number of tokens for each block; ${tokens.hint('it (blockTokens, --block-tokens)')}`,
  );
}

async function* take(
  reading: Reading,
  judged: readonly Numbered[],
  batches: AsyncGenerator<readonly TextLine[]>,
  blockTokens: number | null,
  { skip = 0, limit = Infinity, speedup = 1 }: TraceReading,
): AsyncGenerator<readonly TraceRequest[]> {
  let [passed, taken] = [0, 0];
  let zeroMs: number | undefined;
  const chosen = (requests: readonly Numbered[]): TraceRequest[] => {
    const fit = reading.fitting(requests, blockTokens);
    const start = Math.min(fit.length, skip - passed);
    passed += start;
    const own = fit.slice(start, Math.min(fit.length, start + limit - taken));
    taken += own.length;
    const [head] = own;
    if (head === undefined) return [];
    const zero = (zeroMs ??= head.timestampMs);
    return own.map((request) => ({
      ...request,
      timestampMs: (request.timestampMs - zero) / speedup,
      ...(request.delayMs === undefined ? {} : { delayMs: request.delayMs / speedup }),
    }));
  };
  try {
    yield chosen(judged);
    if (taken >= limit) return;
    for await (const lines of batches) {
      yield chosen(reading.parse(lines));
      if (taken >= limit) return;
    }
  } finally {
    await batches.return(undefined);
  }
}
