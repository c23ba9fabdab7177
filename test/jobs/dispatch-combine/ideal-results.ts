/** What a faultless exchange leaves, in the form the addon hands it over: rows by source rank, then token. */
import { mix32 } from '../../../jobs/dispatch-combine/routing/random.js';
import { usesDedup, type MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import { quantize, tokenRow } from '../../../jobs/dispatch-combine/oracle/numbers.js';
import type { Routing } from '../../../jobs/dispatch-combine/routing/routing.js';
import type { NativeMoeResults } from '../../../runner/native/types/index.js';

const SALT = 5;
const POISON = 0x7f;

/** `nodeOfRank`: given, each other node's partials are summed and rounded before they count. */
export function idealResults(
  spec: MoeSpec,
  routing: Routing,
  rank: number,
  nodeOfRank?: readonly number[],
): NativeMoeResults {
  const worldSize = routing.ranks.length;
  const numLocal = spec.numExperts / worldSize;
  const numGroups = spec.outputLayout === 'expertMajor' ? numLocal : worldSize;
  const count = new Int32Array(numGroups);
  const ranges: bigint[] = [];
  const tokens: number[] = [];
  const rows: Uint8Array[] = [];
  const scales: number[] = [];
  const guard: number[] = [];
  const add = (source: number, token: number): void => {
    const row = tokenRow({ seed: spec.seed, salt: SALT, rank: source, token }, spec.hidden, spec.hidden);
    tokens.push(token);
    if (spec.dispatchDtype === 'bf16') {
      rows.push(new Uint8Array(row.buffer));
      return;
    }
    const quantized = quantize(row, spec.roundScale);
    rows.push(quantized.codes);
    scales.push(...quantized.scales);
  };
  for (let group = 0; group < numGroups; group++) {
    for (const [source, { numTokens, topkIdx }] of routing.ranks.entries()) {
      if (spec.outputLayout === 'rankMajor' && source !== group) continue;
      const begin = count[group] ?? 0;
      for (let token = 0; token < numTokens; token++) {
        const ids = [...topkIdx.subarray(token * spec.numTopk, (token + 1) * spec.numTopk)];
        const isHere = ids.some((id) =>
          spec.outputLayout === 'expertMajor'
            ? id === rank * numLocal + group
            : id >= 0 && Math.floor(id / numLocal) === rank,
        );
        if (!isHere) continue;
        add(source, token);
        count[group] = (count[group] ?? 0) + 1;
      }
      ranges.push((BigInt(begin) << 32n) | BigInt((count[group] ?? 0) - begin));
    }
    guard.push(...Array.from({ length: 8 }, () => POISON));
  }
  return {
    salt: SALT,
    count,
    layoutRange: BigUint64Array.from(ranges),
    sourceToken: Int32Array.from(tokens),
    x: Uint8Array.from(rows.flatMap((row) => [...row])),
    scales: Float32Array.from(scales),
    guard: Uint8Array.from(guard),
    combined: idealCombined(spec, routing, rank, nodeOfRank ?? routing.ranks.map(() => 0)),
    expertBegin: new Int32Array(0),
    sourceBegin: new Int32Array(0),
    rowToken: new Int32Array(0),
    tokenRow: new Int32Array(0),
    tokenExpert: new Int32Array(0),
    tokenWeight: new Float32Array(0),
  };
}

/** Plain loops over columns, without the oracle's help beyond the token's content. */
function idealCombined(
  spec: MoeSpec,
  routing: Routing,
  rank: number,
  nodeOfRank: readonly number[],
): Uint16Array {
  const numLocal = spec.numExperts / routing.ranks.length;
  const own = routing.ranks[rank];
  const combined = new Uint16Array(spec.maxDispatchTokensPerRank * spec.hidden).fill((POISON << 8) | POISON);
  const bf16 = (value: number): number => {
    const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
    return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
  };
  const valueOf = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0] ?? 0;
  for (let token = 0; token < (own?.numTokens ?? 0); token++) {
    const sent = tokenRow({ seed: spec.seed, salt: SALT, rank, token }, spec.hidden, spec.hidden);
    const seen = spec.dispatchDtype === 'bf16' ? null : quantize(sent, spec.roundScale);
    sent.forEach((bits, column) => {
      const code = seen?.codes[column] ?? 0;
      const e4m3 =
        (code & 0x80 ? -1 : 1) *
        (code & 0x78 ? (1 + (code & 7) / 8) * 2 ** (((code & 0x78) >> 3) - 7) : (code & 7) * 2 ** -9);
      const x =
        seen === null ? valueOf(bits) : valueOf(bf16(Math.fround(e4m3 * (seen.scales[column >> 7] ?? 0))));
      const partialOf = (host: number): number => {
        let partial = 0;
        for (let k = 0; k < spec.numTopk; k++) {
          const id = own?.topkIdx[token * spec.numTopk + k] ?? -1;
          if (id < 0 || (host >= 0 && Math.floor(id / numLocal) !== host)) continue;
          const word = mix32(id + 1);
          const factor = (word & 4 ? -1 : 1) * 2 ** ((word & 3) - 1);
          const weight = own?.topkWeights[token * spec.numTopk + k] ?? 0;
          partial = Math.fround(partial + Math.fround(weight * (x * factor)));
        }
        return host >= 0 ? valueOf(bf16(partial)) : partial;
      };
      const total = (hosts: readonly number[]): number =>
        hosts.reduce((sum, host) => Math.fround(sum + partialOf(host)), 0);
      let sum = usesDedup(spec) ? 0 : partialOf(-1);
      for (const hosts of usesDedup(spec) ? groupsOf(nodeOfRank, rank) : []) {
        sum = Math.fround(sum + (hosts.length === 1 ? total(hosts) : valueOf(bf16(total(hosts)))));
      }
      combined[token * spec.hidden + column] = bf16(sum);
    });
  }
  return combined;
}

/** Ranks whose partials count as one, in the order of their sum: alone in the own node, else a node at a time. */
function groupsOf(nodeOfRank: readonly number[], rank: number): number[][] {
  const ranksOf = (node: number | undefined): number[] =>
    [...nodeOfRank.keys()].filter((other) => nodeOfRank[other] === node);
  const own = nodeOfRank[rank];
  const place = ranksOf(own).indexOf(rank);
  return [...nodeOfRank.entries()].flatMap(([other, node]) => {
    if (node === own) return [[other]];
    return ranksOf(node).indexOf(other) === place ? [ranksOf(node)] : [];
  });
}
