/** JSONL routing: one token per line, as an array of ids or an object with `topk_ids`. */
import { showValue } from '../../../runner/job-spec/issue.js';
import { readJsonLine } from '../../../runner/job-spec/json-text.js';
import { isObject } from '../../../runner/job-spec/pointer.js';
import type { TextLine } from '../../../runner/text/text-file.js';
import { RoutingFileIssue, type RoutingFileShape } from './file-issue.js';

export function parseJsonl(lines: Iterable<TextLine>, { numExperts, numTopk }: RoutingFileShape): Int32Array {
  const ids: number[] = [];
  for (const { text, number } of lines) ids.push(...tokenIds(text, number, numExperts, numTopk));
  return Int32Array.from(ids);
}

function tokenIds(line: string, number: number, numExperts: number, numTopk: number): number[] {
  const issue = (expected: string, received: string): RoutingFileIssue =>
    new RoutingFileIssue(number, expected, received);
  const read = readJsonLine(line);
  if (!('value' in read)) throw issue(`JSON with ${read.expected} at column ${read.column}`, read.received);
  const { value } = read;
  const given = isObject(value) ? value['topk_ids'] : value;
  if (!Array.isArray(given) || given.length !== numTopk) {
    const received = Array.isArray(given) ? `${given.length} ids` : showValue(value);
    throw issue(`${numTopk} expert ids (numTopk), an array or {"topk_ids": [...]}`, received);
  }
  const seen = new Set<number>();
  const ids = given.map((id: unknown) => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < -1 || id >= numExperts) {
      throw issue(`expert ids from -1 to ${numExperts - 1}`, showValue(id));
    }
    if (id >= 0 && seen.has(id)) throw issue('each expert at most once per token', `${id} twice`);
    seen.add(id);
    return id;
  });
  return ids;
}
