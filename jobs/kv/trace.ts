/**
 * The request traces of jobs with `order: trace` in every format of jobs/traces whose lines name the blocks of their input.
 * A block has 512 tokens in Mooncake's traces and 16 in Bailian's.
 */
import type { SpecIssue } from '../../runner/job-spec/issue.js';
import { rereadFile, type FilePlaces, type SpecFiles } from '../../runner/job-spec/files.js';
import { textLines } from '../../runner/text/text-file.js';
import { BlockTokens } from '../traces/block-tokens.js';
import { formatOf, MOONCAKE, type TraceFormat } from '../traces/formats.js';
import { PrefixTree } from '../traces/prefix-tree.js';
import type { TraceRequest } from '../traces/request.js';
import { LastAnswer } from '../../runner/values/last-answer.js';

/** Tokens per hash id where neither the spec nor the file says otherwise. */
export const USUAL_BLOCK_TOKENS = 512;

/** A job's pools are walked by all requests at once, so its trace is read whole. */
const LARGEST_TRACE_BYTES = 256 * 1024 * 1024;

/** A file of another kind is wrong on every line: the first few tell. */
const MOST_LINE_ISSUES = 10;

interface Trace {
  readonly requests: readonly TraceRequest[];
  readonly path: string;
  readonly sha256: string;
  /** Tokens that one hash id stands for. */
  readonly blockTokens: number;
}

export type TraceAnswer = Trace | { readonly issues: readonly SpecIssue[] };

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
  let parse: ReturnType<TraceFormat['parser']> | undefined;
  let format: TraceFormat = MOONCAKE;
  let usual = USUAL_BLOCK_TOKENS;
  for (const line of textLines(text)) {
    if (parse === undefined) {
      const told = formatOf(line.text);
      // A first line of no format is a wrong line of the usual one, as those that follow.
      if (!('wrong' in told)) {
        if (told.usualBlockTokens === null) {
          return unusable(
            `line 1: a trace of ${told.name}, which names no blocks; expected one with hash ids`,
          );
        }
        format = told;
        usual = told.usualBlockTokens;
      }
      parse = format.parser();
    }
    const request = parse(line.text, previousMs);
    if ('wrong' in request) {
      wrong.push(`line ${line.number}: ${request.wrong}`);
      if (wrong.length === MOST_LINE_ISSUES) break;
      continue;
    }
    previousMs = request.timestampMs;
    requests.push(request);
    numbers.push(line.number);
  }
  if (requests.length === 0 && wrong.length === 0) return unusable('line 1: nothing, expected a request');
  const tokens = new BlockTokens(format.lastBlockHasId, requests);
  const blockTokens = saidTokens ?? tokens.derive(usual) ?? usual;
  const misfits: string[] = [];
  for (const [index, request] of requests.entries()) {
    const misfit = tokens.misfit(request, blockTokens);
    if (misfit !== null && misfits.push(`line ${numbers[index]}: ${misfit}`) === MOST_LINE_ISSUES) break;
  }
  const own = format.chained ? requests : chained(requests);
  const parsed = { requests: own, wrong: [...wrong, ...misfits], blockTokens };
  return misfits.length === 0 ? parsed : { ...parsed, hint: tokens.hint('trace.blockTokens') };
}

function unusable(wrong: string): ParsedTrace {
  return { requests: [], wrong: [wrong], blockTokens: USUAL_BLOCK_TOKENS };
}

/** Ids that stand for a single block, replaced by ones that stand for the block and all before it. */
function chained(requests: readonly TraceRequest[]): TraceRequest[] {
  const tree = new PrefixTree();
  return requests.map((request) => {
    tree.walk(request.hashIds, 0);
    return { ...request, hashIds: [...tree.path(new Int32Array(request.hashIds.length))] };
  });
}

/** By digest and block size: the points of a spec mostly share one trace. */
const parsed = new LastAnswer<ParsedTrace>();

function parseOnce(files: object, sha256: string, text: string, saidTokens: number | undefined): ParsedTrace {
  return parsed.of(files, `${sha256} ${saidTokens}`, () => parseTrace(text, saidTokens));
}

export function readTrace(path: string, saidTokens: number | undefined, files: SpecFiles): TraceAnswer {
  const pointer = '/trace/path';
  const expected =
    'a request trace, one JSON object per line (timestamp, input_length, output_length, hash_ids)';
  const answer = files.read(path, LARGEST_TRACE_BYTES);
  if (!('file' in answer)) return { issues: [{ pointer, expected, ...answer }] };
  const { text, sha256 } = answer.file;
  const { requests, wrong, blockTokens, hint } = parseOnce(files, sha256, text, saidTokens);
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
  // The same bytes as where the spec was resolved, which had no wrong line.
  const { requests } = parseOnce(files, trace.sha256, answer.text, trace.blockTokens);
  return { requests };
}
