/** A verdict for people: the keys that matter in a table, the others counted. */
import { countWords, outcomeOfVerdict, WORDS, type KeyVerdict, type Verdict } from './verdict.js';
import { textTable } from '../text/table.js';

const MAX_LINES = 60;
const HEAD = ['verdict', 'key', 'change', 'range', 'would see', 'P(B>A)', 'pairs', 'by'];

export function verdictText(verdict: Verdict): string {
  const sorted = sortedKeys(verdict.keys);
  const left = sorted.length - MAX_LINES;
  const reasons = sorted.filter((key) => key.why !== '' && key.word !== 'too noisy').slice(0, MAX_LINES);
  return [
    textTable(HEAD, sorted.slice(0, MAX_LINES).map(lineOf)),
    ...(left > 0 ? [`${left} more keys`] : []),
    ...reasons.map((key) => `${key.word}: ${key.key}: ${key.why}`),
    ...verdict.notes.map((note) => `note: ${note}`),
    ...verdict.problems.map((problem) => `problem: ${problem}`),
    sentenceOf(verdict),
  ].join('\n');
}

/** Worst word first, then by size of the change. */
export function sortedKeys(keys: readonly KeyVerdict[]): KeyVerdict[] {
  const order = ({ word }: KeyVerdict): number => WORDS.indexOf(word);
  return keys.toSorted((a, b) => order(a) - order(b) || size(b) - size(a));
}

/** `regression: 1 regressed, 19 equal (candidate against baseline)` */
export function sentenceOf(verdict: Verdict): string {
  const counts = countWords(verdict.keys);
  const told = WORDS.filter((word) => counts[word] > 0).map((word) => `${counts[word]} ${word}`);
  const control = verdict.controlTripped ? ' (equal builds differed: the machine is not steady enough)' : '';
  return `${outcomeOfVerdict(verdict)}${control}: ${told.join(', ') || 'no key'}; ${verdict.candidate} against ${verdict.baseline}`;
}

const size = (key: KeyVerdict): number => Math.abs(key.estimate?.changePct ?? 0);
const signed = (value: number): string => `${value > 0 ? '+' : ''}${value.toFixed(1)} %`;

function lineOf({ word, key, estimate, numPairs, slowerShare, basis }: KeyVerdict): string[] {
  const range =
    estimate === null || estimate.lowPct === null || estimate.highPct === null
      ? ''
      : `${signed(estimate.lowPct)} .. ${signed(estimate.highPct)}`;
  const mde = estimate === null || estimate.mdePct === null ? '' : `${estimate.mdePct.toFixed(1)} %`;
  const change = estimate === null ? '' : signed(estimate.changePct);
  const share = slowerShare === null ? '' : slowerShare.toFixed(2);
  const pairs = numPairs > 0 ? String(numPairs) : '';
  return [word, key, change, range, mde, share, pairs, basis === 'none' ? '' : basis];
}
