/** Routing measured elsewhere: counts of choices a layer and expert (CSV), or the ids of each token (JSONL). */
import { RoutingFileFault, type RoutingFileShape } from './file-issue.js';
import { parseJsonl } from './jsonl.js';

/** Largest file that is read. */
export const ROUTING_FILE_LIMIT_BYTES = 256 * 2 ** 20;

export type RoutingFile =
  /** Choices in proportion to these, one an expert. */
  | { readonly weights: Float64Array }
  /** Ids of token after token, numTopk each. */
  | { readonly ids: Int32Array };

/** Throws RoutingFileFault. */
export function parseRoutingFile(text: string, shape: RoutingFileShape): RoutingFile {
  const isCsv = /^\s*layer_id\s*,/.test(text);
  return isCsv ? { weights: parseCsv(text, shape) } : { ids: parseJsonl(text, shape) };
}

const CSV_HEADER = 'layer_id,expert_id,count';

function parseCsv(text: string, { numExperts, numTopk, layer }: RoutingFileShape): Float64Array {
  const weights = new Float64Array(numExperts);
  const [header = '', ...lines] = text.split(/\r?\n/);
  if (header.replaceAll(' ', '') !== CSV_HEADER) {
    throw new RoutingFileFault(1, `the header ${CSV_HEADER}`, JSON.stringify(header.slice(0, 80)));
  }
  let found = 0;
  lines.forEach((line, index) => {
    if (line.trim() === '') return;
    const match = /^\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,15})\s*$/.exec(line);
    const [, layerId, expertId, count] = match ?? [];
    if (layerId === undefined || expertId === undefined || count === undefined) {
      const shown = JSON.stringify(line.slice(0, 80));
      throw new RoutingFileFault(index + 2, `three whole numbers, ${CSV_HEADER}`, shown);
    }
    if (Number(expertId) >= numExperts) {
      throw new RoutingFileFault(index + 2, `an expert_id from 0 to ${numExperts - 1}`, expertId);
    }
    if (Number(layerId) !== layer) return;
    found += 1;
    weights[Number(expertId)] = (weights[Number(expertId)] ?? 0) + Number(count);
  });
  if (found === 0) throw new RoutingFileFault(0, `lines of layer ${layer}`, 'none');
  const chosen = weights.filter((weight) => weight > 0).length;
  if (chosen < numTopk) {
    throw new RoutingFileFault(0, `at least ${numTopk} experts with a count in layer ${layer}`, `${chosen}`);
  }
  return weights;
}
