/**
 * Request traces in Mooncake's published format: a JSON object a line with timestamp (ms from the start),
 * input_length and output_length (tokens), and hash_ids, one for each 512-token block of the input. Requests with
 * an equal id share that block of their prefix.
 */
import type { Fault } from '../../runner/job-spec/issue.js';
import { showValue } from '../../runner/job-spec/issue.js';
import type { SpecFiles } from '../../runner/job-spec/files.js';
import { isObject } from '../../runner/job-spec/pointer.js';

/** Tokens that one hash id stands for. */
export const TRACE_BLOCK_TOKENS = 512;

/** Traces are read whole. */
const LARGEST_TRACE_BYTES = 256 * 1024 * 1024;

/** A file of another kind is wrong on every line: the first few tell. */
const MOST_LINE_FAULTS = 10;

export interface TraceRequest {
  readonly timestampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly hashIds: readonly number[];
}

export type TraceAnswer =
  | { readonly requests: readonly TraceRequest[]; readonly path: string; readonly sha256: string }
  | { readonly faults: readonly Fault[] };

/** What is wrong with a line, or the request it holds. `previousMs`: timestamp of the line before. */
export function parseTraceLine(text: string, previousMs: number): TraceRequest | { readonly wrong: string } {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return { wrong: `not JSON: ${showValue(text)}` };
  }
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
  if (!Array.isArray(hashIds) || !hashIds.every(isCount)) {
    return { wrong: `hash_ids ${showValue(hashIds)}, expected a list of whole numbers from 0` };
  }
  const expected = Math.ceil(inputTokens / TRACE_BLOCK_TOKENS);
  if (hashIds.length !== expected) {
    const rule = `expected ${expected}: one a ${TRACE_BLOCK_TOKENS} tokens of input_length ${inputTokens}`;
    return { wrong: `${hashIds.length} hash_ids, ${rule}` };
  }
  return { timestampMs: timestamp, inputTokens, outputTokens, hashIds };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

interface ParsedTrace {
  readonly requests: readonly TraceRequest[];
  /** "line 17: ...", the first few. */
  readonly wrong: readonly string[];
}

/** Every line is checked, also those beyond the requests that a job takes. */
export function parseTrace(text: string): ParsedTrace {
  const requests: TraceRequest[] = [];
  const wrong: string[] = [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  let previousMs = 0;
  for (const [index, line] of lines.entries()) {
    const request = parseTraceLine(line, previousMs);
    if ('wrong' in request) {
      wrong.push(`line ${index + 1}: ${request.wrong}`);
      if (wrong.length === MOST_LINE_FAULTS) break;
      continue;
    }
    previousMs = request.timestampMs;
    requests.push(request);
  }
  if (lines.length === 0) wrong.push('line 1: nothing, expected a request');
  return { requests, wrong };
}

/** The last trace parsed, by digest: the points of a sweep mostly share one. */
let latest: { readonly sha256: string; readonly parsed: ParsedTrace } | undefined;

export function readTrace(path: string, files: SpecFiles): TraceAnswer {
  const pointer = '/trace/path';
  const expected = 'a request trace, a JSON object a line (timestamp, input_length, output_length, hash_ids)';
  const answer = files.read(path, LARGEST_TRACE_BYTES);
  if (!('file' in answer)) return { faults: [{ pointer, expected, ...answer }] };
  const { text, sha256 } = answer.file;
  if (latest?.sha256 !== sha256) latest = { sha256, parsed: parseTrace(text) };
  const { requests, wrong } = latest.parsed;
  if (wrong.length > 0) {
    return {
      faults: wrong.map((received) => ({ pointer, expected, received: `${answer.file.path}, ${received}` })),
    };
  }
  return { requests, path: answer.file.path, sha256 };
}
