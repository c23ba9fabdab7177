/**
 * Request traces in Mooncake's published format: one JSON object per line with timestamp (ms from the start),
 * input_length and output_length (tokens), and hash_ids, one for each block of the input. Requests with an equal id
 * share that block of their prefix. A block has 512 tokens in Mooncake's traces and 16 in Bailian's.
 */
import type { SpecIssue } from '../../runner/job-spec/issue.js';
import { showValue } from '../../runner/job-spec/issue.js';
import { rereadFile, type FilePlaces, type SpecFiles } from '../../runner/job-spec/files.js';
import { readJsonLine } from '../../runner/job-spec/json-text.js';
import { isObject } from '../../runner/job-spec/pointer.js';
import { textLines } from '../../runner/text/text-file.js';
import { BlockTokens } from './trace-block-tokens.js';

/** Tokens per hash id where neither the spec nor the file says otherwise. */
export const USUAL_BLOCK_TOKENS = 512;

/** Traces are read whole. */
const LARGEST_TRACE_BYTES = 256 * 1024 * 1024;

/** A file of another kind is wrong on every line: the first few tell. */
const MOST_LINE_ISSUES = 10;

/** Ids are hashes of up to 64 bits: a BigInt where a number would round it. */
export type HashId = number | bigint;

const LARGEST_HASH_ID = 2n ** 64n - 1n;

export interface TraceRequest {
  readonly timestampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly hashIds: readonly HashId[];
}

interface Trace {
  readonly requests: readonly TraceRequest[];
  readonly path: string;
  readonly sha256: string;
  /** Tokens that one hash id stands for. */
  readonly blockTokens: number;
}

export type TraceAnswer = Trace | { readonly issues: readonly SpecIssue[] };

/** What is wrong with a line, or the request it holds. `previousMs`: timestamp of the line before. */
export function parseTraceLine(text: string, previousMs: number): TraceRequest | { readonly wrong: string } {
  const read = readJsonLine(text);
  if (!('value' in read)) {
    return {
      wrong: `not JSON: expected ${read.expected} at column ${read.column}, received ${read.received}`,
    };
  }
  const line = read.value;
  if (!isObject(line)) return { wrong: `not an object: ${showValue(line)}` };
  const { timestamp, input_length: inputTokens, output_length: outputTokens, hash_ids: hashIds } = line;
  if (typeof timestamp !== 'number' || !(timestamp >= previousMs) || !Number.isFinite(timestamp)) {
    return {
      wrong: `timestamp ${showValue(timestamp)}, expected a number >= ${previousMs} (never back in time)`,
    };
  }
  if (!isCount(inputTokens) || inputTokens < 1) {
    return { wrong: `input_length ${showValue(inputTokens)}, expected a whole number from 1` };
  }
  if (!isCount(outputTokens)) {
    return { wrong: `output_length ${showValue(outputTokens)}, expected a whole number from 0` };
  }
  if (!Array.isArray(hashIds) || hashIds.length === 0) {
    return { wrong: `hash_ids ${showValue(hashIds)}, expected a list of at least one id` };
  }
  const odd = hashIds.find((id) => !isHashId(id)) as unknown;
  if (odd !== undefined) {
    return { wrong: `${showValue(odd)} in hash_ids, expected whole numbers from 0 to ${LARGEST_HASH_ID}` };
  }
  return { timestampMs: timestamp, inputTokens, outputTokens, hashIds: hashIds as HashId[] };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isHashId(value: unknown): value is HashId {
  return typeof value === 'bigint' ? value >= 0n && value <= LARGEST_HASH_ID : isCount(value);
}

interface ParsedTrace {
  readonly requests: readonly TraceRequest[];
  /** "line 17: ...", the first few. */
  readonly wrong: readonly string[];
  readonly hint?: string;
  readonly blockTokens: number;
}

/** Every line is checked, also those beyond the requests that a job takes. `saidTokens`: the spec's `blockTokens`. */
export function parseTrace(text: string, saidTokens?: number): ParsedTrace {
  const requests: TraceRequest[] = [];
  const numbers: number[] = [];
  const wrong: string[] = [];
  let previousMs = 0;
  for (const line of textLines(text)) {
    const request = parseTraceLine(line.text, previousMs);
    if ('wrong' in request) {
      wrong.push(`line ${line.number}: ${request.wrong}`);
      if (wrong.length === MOST_LINE_ISSUES) break;
      continue;
    }
    previousMs = request.timestampMs;
    requests.push(request);
    numbers.push(line.number);
  }
  if (requests.length === 0 && wrong.length === 0) wrong.push('line 1: nothing, expected a request');
  const tokens = new BlockTokens(requests);
  const blockTokens = saidTokens ?? tokens.derive(USUAL_BLOCK_TOKENS);
  const judged = blockTokens ?? USUAL_BLOCK_TOKENS;
  const misfits = tokens.misfits(judged, MOST_LINE_ISSUES);
  wrong.push(...misfits.map(({ index, wrong: what }) => `line ${numbers[index]}: ${what}`));
  if (misfits.length === 0) return { requests, wrong, blockTokens: judged };
  return { requests, wrong, blockTokens: judged, hint: tokens.hint() };
}

/** The last trace parsed, by digest and block size: the points of a sweep mostly share one. */
let latest: { readonly key: string; readonly parsed: ParsedTrace } | undefined;

function parseOnce(sha256: string, text: string, saidTokens: number | undefined): ParsedTrace {
  const key = `${sha256} ${saidTokens}`;
  if (latest?.key !== key) latest = { key, parsed: parseTrace(text, saidTokens) };
  return latest.parsed;
}

export function readTrace(path: string, saidTokens: number | undefined, files: SpecFiles): TraceAnswer {
  const pointer = '/trace/path';
  const expected =
    'a request trace, one JSON object per line (timestamp, input_length, output_length, hash_ids)';
  const answer = files.read(path, LARGEST_TRACE_BYTES);
  if (!('file' in answer)) return { issues: [{ pointer, expected, ...answer }] };
  const { text, sha256 } = answer.file;
  const { requests, wrong, blockTokens, hint } = parseOnce(sha256, text, saidTokens);
  if (wrong.length > 0) {
    const note = hint === undefined ? {} : { hint };
    return {
      issues: wrong.map((what) => ({ pointer, expected, received: `${path}, ${what}`, ...note })),
    };
  }
  return { requests, path, sha256, blockTokens };
}

/** The same trace on a rank that received the resolved spec; a message where the file is not there or another one. */
export function rereadTrace(
  trace: { readonly path: string; readonly sha256: string; readonly blockTokens: number },
  files: FilePlaces,
): Pick<Trace, 'requests'> | { readonly wrong: string } {
  const answer = rereadFile(trace, files, LARGEST_TRACE_BYTES);
  if ('wrong' in answer) return answer;
  const { requests, wrong } = parseOnce(trace.sha256, answer.text, trace.blockTokens);
  return wrong.length > 0 ? { wrong: `${trace.path}: ${wrong.join('; ')}` } : { requests };
}
