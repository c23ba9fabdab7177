/** What cannot be with high throughput, or means nothing without it. Pointers are relative to the job. */
import { showValue, type SpecIssue } from '../../../runner/job-spec/issue.js';
import { isHighThroughput, type MoeSpec } from '../moe-spec.js';
import { highThroughputSchema } from './schema.js';
import { MAX_RESULT_ROWS } from '../schema.js';
import { worstCaseCapacity } from './capacity.js';

export function highThroughputIssues(spec: MoeSpec): SpecIssue[] {
  return isHighThroughput(spec) ? combinationIssues(spec) : strayIssues(spec);
}

function combinationIssues(spec: MoeSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const give = (key: keyof MoeSpec, expected: string, hint: string): void => {
    issues.push({ pointer: `/${key}`, expected, received: showValue(spec[key]), hint });
  };
  const why = 'with algorithm highThroughput';
  if (spec.dedup === 'off') give('dedup', `auto, on or node ${why}`, 'a token crosses once for each rank');
  if (spec.phases === 'split') give('phases', `fused ${why}`, 'send and receive are one: receivers pull');
  if (spec.zeroCopy) {
    give('zeroCopy', `false ${why}`, 'with outputLayout rankMajor the experts write what peers read');
  }
  return issues;
}

/** A key that would silently do nothing. */
function strayIssues(spec: MoeSpec): SpecIssue[] {
  const values: Readonly<Record<string, unknown>> = { ...spec };
  return Object.entries(highThroughputSchema).flatMap(([key, schema]) => {
    const value = values[key];
    if (key === 'algorithm' || value === schema['default']) return [];
    const hint = 'set algorithm to highThroughput, or remove the key';
    return [
      {
        pointer: `/${key}`,
        expected: `${showValue(schema['default'])} with algorithm lowLatency`,
        received: showValue(value),
        hint,
      },
    ];
  });
}

export function highThroughputWorldIssues(spec: MoeSpec, worldSize: number): SpecIssue[] {
  if (!isHighThroughput(spec) || spec.numExperts % worldSize !== 0) return [];
  const { rows } = worstCaseCapacity(spec, worldSize);
  if (rows <= MAX_RESULT_ROWS) return [];
  const expected = `so many that a rank receives at most ${MAX_RESULT_ROWS} expert rows`;
  const received = `${showValue(spec.maxDispatchTokensPerRank)}, with which ${rows} can come`;
  return [{ pointer: '/maxDispatchTokensPerRank', expected, received }];
}
