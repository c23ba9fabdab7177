/**
 * What dispatch and combine must have left on this rank, computed from the spec, the routing and the number of the
 * call alone. Shares no code with the native module. Only the order of rows inside a group is free.
 */
import type { Verification } from '../../../runner/job/measurement.js';
import type { NativeMoeResults } from '../../../runner/native/types/index.js';
import { itemAt } from '../../../runner/values/items.js';
import { sum } from '../../../runner/values/sum.js';
import { checkCombine } from './combine.js';
import { Findings, POISON_BYTE } from './findings.js';
import { SentRows } from './sent-rows.js';
import type { Expectation } from './expectation.js';

/** verify: sample compares the elements of every eighth token. */
const SAMPLE_STRIDE = 8;

export function verifyExchange(expectation: Expectation, results: NativeMoeResults): Verification[] {
  const { spec } = expectation;
  const stride = spec.verify === 'sample' ? SAMPLE_STRIDE : 1;
  const dispatch = new Findings();
  checkDispatch(expectation, results, stride, dispatch);
  const combine = new Findings();
  checkCombine(expectation, results, stride, combine);
  const phases = (name: string): string[] =>
    spec.phases === 'split' ? [`${name}Send`, `${name}Receive`] : [name];
  return [
    ...phases('dispatch').map((phase) => dispatch.as(phase)),
    ...phases('combine').map((phase) => combine.as(phase)),
  ];
}

/** Tokens of `source` that belong into each of this rank's groups, in token order. */
function expectedTokens({ spec, routing, rank }: Expectation, source: number): number[][] {
  const numLocal = spec.numExperts / routing.ranks.length;
  const byExpert = Array.from({ length: numLocal }, (): number[] => []);
  const anyExpert: number[] = [];
  const { numTokens = 0, topkIdx = new Int32Array(0) } = routing.ranks[source] ?? {};
  for (let token = 0; token < numTokens; token++) {
    let comes = false;
    for (const id of topkIdx.subarray(token * spec.numTopk, (token + 1) * spec.numTopk)) {
      if (id < 0 || Math.floor(id / numLocal) !== rank) continue;
      byExpert[id % numLocal]?.push(token);
      comes = true;
    }
    if (comes) anyExpert.push(token);
  }
  return spec.outputLayout === 'expertMajor' ? byExpert : [anyExpert];
}

function checkDispatch(
  expectation: Expectation,
  results: NativeMoeResults,
  stride: number,
  findings: Findings,
): void {
  const { spec, routing } = expectation;
  const worldSize = routing.ranks.length;
  const isExpertMajor = spec.outputLayout === 'expertMajor';
  const bySource = routing.ranks.map((_, source) => expectedTokens(expectation, source));
  const rows = new RowCheck(expectation, results, stride, findings);
  const numGroups = isExpertMajor ? spec.numExperts / worldSize : worldSize;
  findings.equal(results.count.length, numGroups, () => 'groups of rows');
  let firstRow = 0;
  for (let group = 0; group < numGroups; group++) {
    const count = results.count[group] ?? 0;
    const name = isExpertMajor ? `local expert ${group}` : `source rank ${group}`;
    const sources = isExpertMajor ? bySource.map((_, source) => source) : [group];
    const tokensOf = (source: number): readonly number[] =>
      itemAt(itemAt(bySource, source), isExpertMajor ? group : 0);
    const expected = sum(sources.map((source) => tokensOf(source).length));
    if (!findings.equal(count, expected, () => `${name}: row count`)) {
      findings.give(`${name}: rows cannot be compared`);
    }
    for (const source of sources) {
      const range = results.layoutRange[isExpertMajor ? group * worldSize + source : group] ?? 0n;
      const begin = isExpertMajor ? Number(range >> 32n) : 0;
      rows.checkSource(tokensOf(source), {
        name: `${name}, source rank ${source}${wayOf(expectation, source)}`,
        source,
        firstRow: firstRow + begin,
        count: Number(range & 0xffffffffn),
      });
    }
    firstRow += Math.max(0, count);
  }
  const poison = new Uint8Array(results.guard.length).fill(POISON_BYTE);
  findings.equalBytes(results.guard, poison, 1, (byte) => `byte ${byte} behind the last row of a group`);
}

/** Who handed on what `source` sent to this rank, in words. */
function wayOf({ nodes, rank }: Expectation, source: number): string {
  if (nodes === null || nodes.isNear(source, rank) || nodes.isRail(source, rank)) return '';
  return ` through rank ${nodes.relayOf(source, rank)}`;
}

interface SourceRows {
  readonly name: string;
  readonly source: number;
  readonly firstRow: number;
  readonly count: number;
}

/** Compares received rows with what their source rank must have sent. */
class RowCheck {
  readonly #expectation: Expectation;
  readonly #results: NativeMoeResults;
  readonly #stride: number;
  readonly #findings: Findings;
  readonly #sent: SentRows;

  constructor(expectation: Expectation, results: NativeMoeResults, stride: number, findings: Findings) {
    this.#expectation = expectation;
    this.#results = results;
    this.#stride = stride;
    this.#findings = findings;
    this.#sent = new SentRows(expectation.spec, results.salt);
  }

  checkSource(expected: readonly number[], rows: SourceRows): void {
    const findings = this.#findings;
    const { sourceToken } = this.#results;
    findings.equal(rows.count, expected.length, () => `${rows.name}: count in the layout range`);
    const found = [...sourceToken.subarray(rows.firstRow, rows.firstRow + rows.count)];
    const sorted = found.toSorted((a, b) => a - b);
    expected.forEach((token, index) => {
      findings.equal(sorted[index] ?? -1, token, () => `${rows.name}: tokens in order, place ${index}`);
    });
    const wanted = new Set(expected);
    found.forEach((token, index) => {
      if (token % this.#stride !== 0 || !wanted.has(token)) return;
      this.#checkRow(rows.firstRow + index, token, rows);
    });
  }

  #checkRow(row: number, token: number, { name, source }: SourceRows): void {
    const { x, scales } = this.#results;
    const sent = this.#sent.row(source, token);
    const width = this.#expectation.spec.dispatchDtype === 'bf16' ? 2 : 1;
    const found = x.subarray(row * sent.bytes.length, (row + 1) * sent.bytes.length);
    const where = (column: number): string => `${name}, token ${token}, column ${column}`;
    this.#findings.equalBytes(found, sent.bytes, width, where);
    sent.scales.forEach((scale, block) => {
      const got = scales[row * sent.scales.length + block] ?? NaN;
      this.#findings.equal(got, scale, () => `${name}, token ${token}, scale ${block}`);
    });
  }
}
