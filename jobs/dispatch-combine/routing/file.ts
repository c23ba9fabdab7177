/** Routing measured elsewhere: counts of choices per layer and expert (CSV), or the ids of each token (JSONL). */
import { showValue } from '../../../runner/job-spec/issue.js';
import { textLines, type TextLine } from '../../../runner/text/text-file.js';
import { RoutingFileIssue, type RoutingFileShape } from './file-issue.js';
import { parseJsonl } from './jsonl.js';

/** Largest file that is read. */
export const ROUTING_FILE_LIMIT_BYTES = 256 * 2 ** 20;

export type RoutingFile =
  /** Choices in proportion to these, one per expert. */
  | { readonly weights: Float64Array }
  /** Ids of token after token, numTopk each. */
  | { readonly ids: Int32Array };

/** Throws RoutingFileIssue. The first line that is not blank tells the format. */
export function parseRoutingFile(text: string, shape: RoutingFileShape): RoutingFile {
  const lines = textLines(text);
  const first = lines.next();
  if (first.done === true) {
    throw new RoutingFileIssue(0, 'at least one line', 'an empty file');
  }
  const { number, text: head } = first.value;
  if (/^\s*[[{]/.test(head)) return { ids: parseJsonl(textLines(text), shape) };
  if (cellsOf(head).join(',') === CSV_HEADER) return { weights: parseCsv(lines, shape) };
  const expected = `CSV with the header ${CSV_HEADER}, or JSONL: one array of ids, or object with topk_ids, per token`;
  const reason = head.includes(',') ? 'a line with commas that is not that header' : 'a line that is neither';
  throw new RoutingFileIssue(number, expected, `${reason}: ${showValue(head)}`);
}

const CSV_HEADER = 'layer_id,expert_id,count';

/** Cells of a CSV line whose cells are words or numbers, in quotes or not. */
function cellsOf(line: string): string[] {
  return line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
}

function parseCsv(lines: Iterable<TextLine>, { numExperts, numTopk, layer }: RoutingFileShape): Float64Array {
  const weights = new Float64Array(numExperts);
  let found = 0;
  for (const { text, number } of lines) {
    const cells = cellsOf(text);
    if (cells.length !== 3 || !cells.every((cell) => /^\d{1,15}$/.test(cell))) {
      const expected = `three whole numbers of at most 15 digits, ${CSV_HEADER}`;
      throw new RoutingFileIssue(number, expected, showValue(text));
    }
    const [layerId = 0, expertId = 0, count = 0] = cells.map(Number);
    if (expertId >= numExperts) {
      throw new RoutingFileIssue(number, `an expert_id from 0 to ${numExperts - 1}`, String(expertId));
    }
    if (layerId !== layer) continue;
    found += 1;
    weights[expertId] = (weights[expertId] ?? 0) + count;
  }
  if (found === 0) throw new RoutingFileIssue(0, `lines of layer ${layer}`, 'none');
  const chosen = weights.filter((weight) => weight > 0).length;
  if (chosen < numTopk) {
    throw new RoutingFileIssue(0, `at least ${numTopk} experts with a count in layer ${layer}`, `${chosen}`);
  }
  return weights;
}
