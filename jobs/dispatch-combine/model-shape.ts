/** `model` of a job: experts, choices, width and routing of a real model instead of numbers by hand. */
import type { SpecFiles } from '../../runner/job-spec/files.js';
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import { readModel } from '../kv/models/find-model.js';
import { readMoeShape, type MoeShape } from '../kv/models/moe-shape.js';

type Given = Readonly<Record<string, unknown>>;

const SHAPE_KEYS = ['hidden', 'numTopk', 'numExperts'] as const;

export interface ModelShape {
  readonly keys: Pick<MoeShape, (typeof SHAPE_KEYS)[number]>;
  /** Routing keys that the model says, under those that the job writes. */
  readonly routing: Given;
}

/** The shape of the job: the model's, or that of the keys by hand. Issues where neither or both say it. */
export function resolveShape(
  given: Given,
  files: SpecFiles,
): { readonly shape: ModelShape | null } | { readonly issues: readonly SpecIssue[] } {
  const { model } = given;
  if (typeof model !== 'string') {
    const missing = SHAPE_KEYS.filter((key) => given[key] === undefined);
    const received = 'nothing: the key is missing';
    const expected = 'a whole number from 1, or model';
    const issues = missing.map((key) => ({ pointer: `/${key}`, expected, received }));
    return issues.length > 0 ? { issues } : { shape: null };
  }
  const both = SHAPE_KEYS.filter((key) => given[key] !== undefined);
  if (both.length > 0) {
    const issues = both.map((key) => ({
      pointer: `/${key}`,
      expected: 'omitted where `model` is set',
      received: showValue(given[key]),
      hint: `the model says ${key}: remove one of the two`,
    }));
    return { issues };
  }
  const read = readModel(model, '/model', files, ({ document }) => readMoeShape(document));
  if ('issue' in read) return { issues: [read.issue] };
  const { hidden, numTopk, numExperts } = read;
  return { shape: { keys: { hidden, numTopk, numExperts }, routing: routingOf(read) } };
}

/** A group-limited router, and the share of choices that fall on experts that stay home. */
function routingOf({ groups, numExperts, numZeroExperts }: MoeShape): Given {
  const limited = groups === null ? {} : { kind: 'groupLimited', ...groups };
  const masked =
    numZeroExperts === 0 ? {} : { maskedFraction: numZeroExperts / (numExperts + numZeroExperts) };
  return { ...limited, ...masked };
}
