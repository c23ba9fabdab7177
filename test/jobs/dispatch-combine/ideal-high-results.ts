/** What a faultless exchange of high throughput leaves, in the form the addon hands it over. */
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import { quantize, tokenRow } from '../../../jobs/dispatch-combine/oracle/numbers.js';
import type { Routing } from '../../../jobs/dispatch-combine/routing/routing.js';
import type { NativeMoeResults } from '../../../runner/native/types/index.js';
import { itemAt } from '../../../runner/values/items.js';
import { idealResults } from './ideal-results.js';

/** Every chosen row of the rank as (expert, source, token, k), put in order by sorting. */
export function idealHighResults(spec: MoeSpec, routing: Routing, rank: number): NativeMoeResults {
  const { numTopk, hidden, seed } = spec;
  const worldSize = routing.ranks.length;
  const numLocal = spec.numExperts / worldSize;
  const rows = routing.ranks.flatMap(({ topkIdx }, source) =>
    [...topkIdx].flatMap((id, at) =>
      id >= 0 && Math.floor(id / numLocal) === rank
        ? [{ expert: id % numLocal, source, token: Math.floor(at / numTopk), k: at % numTopk }]
        : [],
    ),
  );
  const key = (row: { source: number; token: number }): number => row.source * 1e6 + row.token;
  const received = [...new Set(rows.map(key))].toSorted((a, b) => a - b);
  rows.sort((a, b) => a.expert - b.expert || key(a) - key(b));
  const tokenRowOf = new Int32Array(received.length * numTopk).fill(-1);
  const tokenExpert = tokenRowOf.slice();
  const rowToken: number[] = [];
  const expertBegin = [0];
  const count = new Int32Array(numLocal);
  for (let expert = 0; expert < numLocal; expert++) {
    for (const row of rows.filter((of) => of.expert === expert)) {
      const token = received.indexOf(key(row));
      tokenRowOf[token * numTopk + row.k] = rowToken.length;
      tokenExpert[token * numTopk + row.k] = expert;
      rowToken.push(token);
      count[expert] = (count[expert] ?? 0) + 1;
    }
    while (rowToken.length % spec.expertAlignment > 0) rowToken.push(-1);
    expertBegin.push(rowToken.length);
  }
  const source = received.map((of) => Math.floor(of / 1e6));
  const sourceToken = received.map((of) => of % 1e6);
  const isFp8 = spec.dispatchDtype !== 'bf16';
  const scales: number[] = [];
  const x = rowToken.flatMap((received) => {
    // What native code fills memory with, where no row belongs.
    if (received < 0) {
      scales.push(...(isFp8 ? Array.from({ length: hidden / 128 }, () => 0) : []));
      return Array.from({ length: isFp8 ? hidden : 2 * hidden }, () => 0x7f);
    }
    const place = { seed, salt: 5, rank: itemAt(source, received), token: itemAt(sourceToken, received) };
    const row = tokenRow(place, hidden, hidden);
    if (!isFp8) return [...new Uint8Array(row.buffer)];
    const quantized = quantize(row, spec.roundScale);
    scales.push(...quantized.scales);
    return [...quantized.codes];
  });
  return {
    ...idealResults(spec, routing, rank),
    count,
    sourceToken: Int32Array.from(sourceToken),
    x: Uint8Array.from(x),
    scales: Float32Array.from(scales),
    guard: new Uint8Array(isFp8 ? hidden : 2 * hidden).fill(0x7f),
    expertBegin: Int32Array.from(expertBegin),
    sourceBegin: Int32Array.from(
      { length: worldSize + 1 },
      (_, end) => source.filter((of) => of < end).length,
    ),
    rowToken: Int32Array.from(rowToken),
    tokenRow: tokenRowOf,
    tokenExpert,
    tokenWeight: Float32Array.from(
      received.flatMap((_, index) => {
        const at = (sourceToken[index] ?? 0) * numTopk;
        return [...(routing.ranks[source[index] ?? 0]?.topkWeights.subarray(at, at + numTopk) ?? [])];
      }),
    ),
  };
}
