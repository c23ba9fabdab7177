/**
 * What high throughput must have left on this rank, computed from nothing but the spec, the routing and the number of the call:
 * every number of the layout, every byte of every row in its one place, what lies between the experts, and every bit of
 * the combined tokens. Shares no code with the native module.
 */
import type { Verification } from '../../../runner/job/measurement.js';
import type { NativeMoeResults } from '../../../runner/native/types/index.js';
import { paddedHidden } from '../moe-spec.js';
import { checkCombine } from './combine.js';
import type { Expectation } from './expectation.js';
import { Findings, POISON_BYTE } from './findings.js';
import { SentRows } from './sent-rows.js';

/** verify: sample compares the elements of every eighth token. */
const SAMPLE_STRIDE = 8;

/** Of one rank, in the order that the routing decides by itself. */
interface Layout {
  readonly count: number[];
  readonly expertBegin: number[];
  readonly sourceBegin: number[];
  readonly rowToken: number[];
  readonly sourceToken: number[];
  tokenRow: number[];
  readonly tokenExpert: number[];
  readonly tokenWeight: number[];
  /** By received token. */
  readonly source: number[];
}

export function verifyHighThroughput(expectation: Expectation, results: NativeMoeResults): Verification[] {
  const { spec } = expectation;
  const stride = spec.verify === 'sample' ? SAMPLE_STRIDE : 1;
  const dispatch = new Findings();
  const layout = layoutOf(expectation);
  checkLayout(layout, results, dispatch);
  checkRows(expectation, layout, { results, stride }, dispatch);
  const combine = new Findings();
  checkCombine(expectation, results, stride, combine);
  return [dispatch.as('dispatch'), combine.as('combine')];
}

function layoutOf({ spec, routing, rank }: Expectation): Layout {
  const numLocal = spec.numExperts / routing.ranks.length;
  const layout: Layout = {
    count: Array.from({ length: numLocal }, () => 0),
    expertBegin: [0],
    sourceBegin: [0],
    rowToken: [],
    sourceToken: [],
    tokenRow: [],
    tokenExpert: [],
    tokenWeight: [],
    source: [],
  };
  const tokensOf = Array.from({ length: numLocal }, (): number[] => []);
  for (const [source, { numTokens, topkIdx, topkWeights }] of routing.ranks.entries()) {
    for (let token = 0; token < numTokens; token++) {
      const choices = [...topkIdx.subarray(token * spec.numTopk, (token + 1) * spec.numTopk)];
      const local = choices.map((id) => (id >= 0 && Math.floor(id / numLocal) === rank ? id % numLocal : -1));
      if (local.every((expert) => expert < 0)) continue;
      const received = layout.sourceToken.length;
      layout.sourceToken.push(token);
      layout.source.push(source);
      layout.tokenExpert.push(...local);
      layout.tokenWeight.push(...topkWeights.subarray(token * spec.numTopk, (token + 1) * spec.numTopk));
      for (const expert of local) tokensOf[expert]?.push(received);
    }
    layout.sourceBegin.push(layout.sourceToken.length);
  }
  layout.tokenRow = layout.tokenExpert.map(() => -1);
  tokensOf.forEach((tokens, expert) => {
    for (const received of tokens) {
      const choice = layout.tokenExpert.indexOf(expert, received * spec.numTopk);
      layout.tokenRow[choice] = layout.rowToken.length;
      layout.rowToken.push(received);
    }
    layout.count[expert] = tokens.length;
    while (layout.rowToken.length % spec.expertAlignment !== 0) layout.rowToken.push(-1);
    layout.expertBegin.push(layout.rowToken.length);
  });
  return layout;
}

function checkLayout(layout: Layout, results: NativeMoeResults, findings: Findings): void {
  const compare = (name: string, found: Int32Array | Float32Array, expected: readonly number[]): void => {
    findings.equal(found.length, expected.length, () => `${name}: entries`);
    expected.forEach((value, index) => {
      findings.equal(found[index] ?? NaN, value, () => `${name}[${index}]`);
    });
  };
  compare('rows of local experts', results.count, layout.count);
  compare('first rows of local experts', results.expertBegin, layout.expertBegin);
  compare('first received tokens of sources', results.sourceBegin, layout.sourceBegin);
  compare('source tokens', results.sourceToken, layout.sourceToken);
  compare('tokens of expert rows', results.rowToken, layout.rowToken);
  compare('expert rows of choices', results.tokenRow, layout.tokenRow);
  compare('local experts of choices', results.tokenExpert, layout.tokenExpert);
  compare('weights of choices', results.tokenWeight, layout.tokenWeight);
}

function checkRows(
  { spec }: Expectation,
  layout: Layout,
  { results, stride }: { readonly results: NativeMoeResults; readonly stride: number },
  findings: Findings,
): void {
  const width = spec.dispatchDtype === 'bf16' ? 2 : 1;
  const rowBytes = paddedHidden(spec) * width;
  const numScales = width === 1 ? paddedHidden(spec) / 128 : 0;
  const poison = new Uint8Array(rowBytes).fill(POISON_BYTE);
  const sent = new SentRows(spec, results.salt);
  const isExpertMajor = spec.outputLayout === 'expertMajor';
  const tokens = isExpertMajor ? layout.rowToken : layout.sourceToken.map((_, received) => received);
  findings.equal(results.x.length, tokens.length * rowBytes, () => 'bytes of all rows');
  tokens.forEach((received, row) => {
    const found = results.x.subarray(row * rowBytes, (row + 1) * rowBytes);
    if (received < 0) {
      findings.equalBytes(found, poison, width, (column) => `padding row ${row}, column ${column}`);
      return;
    }
    const [source, token] = [layout.source[received] ?? -1, layout.sourceToken[received] ?? -1];
    if (token % stride !== 0) return;
    const name = (): string => `row ${row}, token ${token} of rank ${source}`;
    const { bytes, scales } = sent.row(source, token);
    findings.equalBytes(found, bytes, width, (column) => `${name()}, column ${column}`);
    scales.forEach((scale, block) => {
      const got = results.scales[row * numScales + block] ?? NaN;
      findings.equal(got, scale, () => `${name()}, scale ${block}`);
    });
  });
  findings.equalBytes(results.guard, poison, 1, (byte) => `byte ${byte} behind the last row`);
}
