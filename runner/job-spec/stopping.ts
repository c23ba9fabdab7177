/** `stopping`: samples until the noise is low, in place of a fixed number of them. */
import { showValue, type SpecIssue } from './issue.js';
import { isObject } from './pointer.js';
import type { SpecKind } from './spec-kind.js';
import type { StoppingRule } from './types.js';
import { readNumber } from '../values/keys.js';

type Keys = Readonly<Record<string, unknown>>;

const USUAL_MIN_ITERATIONS = 50;
/** As NVBench's --timeout. */
const USUAL_MAX_SECONDS = 15;
/** Of the deadline of the stage: probe, warm-up and a batch that takes longer than the previous one need the rest. */
const SHARE_OF_TIMEOUT = 1 / 2;

/** What `plan` says of a job that has `stopping`. */
export const STOPPING_PATHS = ['maxNoisePct', 'minIterations', 'maxIterations', 'maxSeconds'].map(
  (key) => `stopping.${key}`,
);

/** The run's defaults for a job: its own iterations or stopping overrides both. */
export function defaultsFor(job: Keys, defaults: Keys, kind: SpecKind): Keys {
  const { iterations, stopping, ...others } = defaults;
  const keepsIterations = iterations !== undefined && job['stopping'] === undefined;
  const keepsStopping =
    stopping !== undefined && job['iterations'] === undefined && kind.measuresOnce === undefined;
  return {
    ...others,
    ...(keepsIterations ? { iterations } : {}),
    ...(keepsStopping ? { stopping } : {}),
  };
}

/** Both at one place; `pointer` is that place's. */
export function bothFormsIssues(keys: Keys, pointer: string): SpecIssue[] {
  if (keys['iterations'] === undefined || keys['stopping'] === undefined) return [];
  return [
    {
      pointer: `${pointer}/iterations`,
      expected: 'no iterations next to stopping, which decides how many',
      received: showValue(keys['iterations']),
      hint: 'remove iterations for samples until the noise is low, or stopping for a fixed number',
    },
  ];
}

/** Rules across keys. `job` as written, sweep applied; `filled` with its defaults, each key legal by itself. */
export function stoppingIssues(job: Keys, filled: Keys, kind: SpecKind): SpecIssue[] {
  const both = bothFormsIssues(job, '');
  if (kind.measuresOnce !== undefined && job['stopping'] !== undefined) {
    const received = showValue(job['stopping']);
    return [...both, { pointer: '/stopping', expected: `nothing: ${kind.measuresOnce}`, received }];
  }
  const rule = stoppingOf(filled);
  if (rule === undefined) return both;
  const issues = [...both];
  if (rule.minIterations > rule.maxIterations) {
    const expected = `at most ${rule.maxIterations}, which is maxIterations`;
    issues.push({ pointer: '/stopping/minIterations', expected, received: String(rule.minIterations) });
  }
  const mostSeconds = readNumber(filled, 'timeoutSeconds') * SHARE_OF_TIMEOUT;
  if (rule.maxSeconds > mostSeconds) {
    issues.push({
      pointer: '/stopping/maxSeconds',
      expected: `at most ${mostSeconds}, half of timeoutSeconds`,
      received: String(rule.maxSeconds),
      hint: 'the probe, the warm-up and the last batch need time before the deadline too: raise timeoutSeconds',
    });
  }
  return issues;
}

/** Puts the whole rule, and the samples of its first batch, into a job that has one. */
export function withStopping(filled: Keys): Keys {
  const stopping = stoppingOf(filled);
  return stopping === undefined ? filled : { ...filled, iterations: stopping.minIterations, stopping };
}

/** Of a job whose `stopping` is legal by itself: what is open follows from other keys. */
export function stoppingOf(job: Keys): StoppingRule | undefined {
  const { stopping } = job;
  if (!isObject(stopping)) return undefined;
  const maxIterations = readNumber(stopping, 'maxIterations');
  const usual = {
    minIterations: Math.min(USUAL_MIN_ITERATIONS, maxIterations),
    maxSeconds: Math.min(USUAL_MAX_SECONDS, readNumber(job, 'timeoutSeconds') * SHARE_OF_TIMEOUT),
  };
  const whole = { ...usual, ...stopping };
  return {
    maxNoisePct: readNumber(stopping, 'maxNoisePct'),
    minIterations: readNumber(whole, 'minIterations'),
    maxIterations,
    maxSeconds: readNumber(whole, 'maxSeconds'),
  };
}
