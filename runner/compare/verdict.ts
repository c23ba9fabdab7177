/** What a comparison says of each key, and what it asks the process to exit with. */
import { EXIT } from '../errors.js';
import { recordOf } from '../values/objects.js';

/** `missing` and `failed` refer to the candidate; swapping the sides swaps regressed and improved, missing and new. */
export type Word = 'regressed' | 'improved' | 'equal' | 'too noisy' | 'missing' | 'failed' | 'new';

/** Worst first: the order of tables. */
export const WORDS: readonly Word[] = [
  'regressed',
  'failed',
  'missing',
  'too noisy',
  'improved',
  'new',
  'equal',
];

/**
 * What a word rests on: `confirmed` by fresh pairs, `test`: an exact test over all keys, `effect size`: too few runs for
 * a test, `none`: there was nothing to estimate.
 */
export type Basis = 'confirmed' | 'test' | 'effect size' | 'none';

/** Changes are of the candidate's time against the baseline's, in percent: above 0 is slower. */
export interface Estimate {
  readonly changePct: number;
  /** One-sided exact bounds at 5 % each; null where so few runs give none. */
  readonly lowPct: number | null;
  readonly highPct: number | null;
  /** Smallest change, in either direction, that this key could not have hidden; null where none can be stated. */
  readonly mdePct: number | null;
}

export interface KeyVerdict {
  readonly key: string;
  readonly word: Word;
  readonly basis: Basis;
  readonly estimate: Estimate | null;
  /** Pairs, or the smaller number of runs where they are not paired. */
  readonly numPairs: number;
  /**
   * P(B > A): share of the pairs in which the candidate was slower, or of all combinations of a run of each side where runs
   * are not paired. Near 0.5 the sides overlap, however far apart their medians are (two modes). Null where nothing was
   * compared.
   */
  readonly slowerShare: number | null;
  /** Empty where the word says it all. */
  readonly why: string;
}

export interface Verdict {
  readonly baseline: string;
  readonly candidate: string;
  readonly keys: readonly KeyVerdict[];
  /** What keeps the whole from being good, in sentences; not of single keys. */
  readonly problems: readonly string[];
  /** What else a reader should know. */
  readonly notes: readonly string[];
  /** The control compared equal builds and found a difference: nothing found here can be trusted. */
  readonly controlTripped: boolean;
}

export function countWords(keys: readonly KeyVerdict[]): Readonly<Record<Word, number>> {
  const counts = recordOf(WORDS, () => 0);
  for (const { word } of keys) counts[word] += 1;
  return counts;
}

/** 0: every key was looked at closely enough and none is slower; 5: one is slower or failed; 6: no verdict. */
export function exitOfVerdict({ keys, problems, controlTripped }: Verdict): number {
  const counts = countWords(keys);
  if (controlTripped) return EXIT.noVerdict;
  if (counts.regressed + counts.failed > 0) return EXIT.regression;
  const looked = counts.equal + counts.improved > 0;
  const open = counts.missing + counts['too noisy'] + problems.length;
  return looked && open === 0 ? EXIT.ok : EXIT.noVerdict;
}

export type Outcome = 'no regression' | 'regression' | 'no verdict';

/** The exit status as a word. */
export function outcomeOfVerdict(verdict: Verdict): Outcome {
  const status = exitOfVerdict(verdict);
  return status === EXIT.ok ? 'no regression' : status === EXIT.regression ? 'regression' : 'no verdict';
}
