/** JSONL routing: one token a line, as an array of ids or an object with `topk_ids`. */
import { RoutingFileFault, type RoutingFileShape } from './file-issue.js';

export function parseJsonl(text: string, { numExperts, numTopk }: RoutingFileShape): Int32Array {
  const ids: number[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '') return;
    ids.push(...tokenIds(line, index + 1, numExperts, numTopk));
  });
  if (ids.length === 0) throw new RoutingFileFault(0, 'at least one token', 'an empty file');
  return Int32Array.from(ids);
}

function tokenIds(line: string, number: number, numExperts: number, numTopk: number): number[] {
  const fault = (expected: string, received: string): RoutingFileFault =>
    new RoutingFileFault(number, expected, received);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw fault(`a JSON array of ${numTopk} expert ids`, JSON.stringify(line.slice(0, 80)));
  }
  const given = Array.isArray(value) ? value : (value as { topk_ids?: unknown } | null)?.topk_ids;
  if (!Array.isArray(given) || given.length !== numTopk) {
    const received = Array.isArray(given) ? `${given.length} ids` : JSON.stringify(value).slice(0, 80);
    throw fault(`${numTopk} expert ids (numTopk), an array or {"topk_ids": [...]}`, received);
  }
  const seen = new Set<number>();
  for (const id of given as unknown[]) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < -1 || id >= numExperts) {
      throw fault(`expert ids from -1 to ${numExperts - 1}`, JSON.stringify(id) ?? 'nothing');
    }
    if (id >= 0 && seen.has(id)) throw fault('each expert at most once a token', `${id} twice`);
    seen.add(id);
  }
  return given as number[];
}
