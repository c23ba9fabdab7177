/** The smallest change that counts, for all keys and for some. */
import { RunnerError } from '../errors.js';
import type { Limits } from './judge.js';
import { keyText } from './run-table.js';

export interface ThresholdRequest {
  /** Percent. */
  readonly thresholdPct: number;
  readonly resolutionPct: number;
  /** `PATTERN=PCT`: `*` stands for anything; the first that fits a key holds. */
  readonly keyThresholds: readonly string[];
}

/**
 * Limits by key. Throws E_USAGE for a pattern that fits no key: a threshold that holds for nothing would let everything
 * pass silently.
 */
export function limitsByKey(keys: readonly string[], request: ThresholdRequest): (key: string) => Limits {
  const { thresholdPct, resolutionPct, keyThresholds } = request;
  const special = keyThresholds.map(parseThreshold);
  const texts = keys.map(keyText);
  for (const { text, fits } of special) {
    if (texts.some((key) => fits.test(key))) continue;
    const known = texts.slice(0, 5).map((key) => JSON.stringify(key));
    throw new RunnerError(
      'E_USAGE',
      `--key-threshold ${text}: no key fits; keys are ${known.join(', ')}${texts.length > 5 ? ', ...' : ''}; correct the pattern`,
    );
  }
  return (key) => {
    const own = special.find(({ fits }) => fits.test(keyText(key)))?.pct ?? thresholdPct;
    return { threshold: Math.log1p(own / 100), resolution: Math.log1p(Math.max(own, resolutionPct) / 100) };
  };
}

interface KeyThreshold {
  readonly text: string;
  readonly fits: RegExp;
  readonly pct: number;
}

function parseThreshold(text: string): KeyThreshold {
  const at = text.lastIndexOf('=');
  const pct = Number(text.slice(at + 1));
  if (at < 1 || text.slice(at + 1).trim() === '' || !(pct > 0 && pct <= 1000)) {
    throw new RunnerError(
      'E_USAGE',
      `--key-threshold: expected PATTERN=PERCENT with a percentage above 0, for example "decode *=10"; ` +
        `received ${JSON.stringify(text)}`,
    );
  }
  const pattern = text
    .slice(0, at)
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*');
  return { text, fits: new RegExp(`^${pattern}$`), pct };
}
