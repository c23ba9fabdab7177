/** Layouts as written into layouts in numbers: dimensions by hand, groups by hand, or the groups of a model. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import type { SpecFiles } from '../../runner/job-spec/files.js';
import { isObject, pointerOf } from '../../runner/job-spec/pointer.js';
import type { JsonObject } from '../../runner/job-spec/types.js';
import { readGroups, type GroupsAnswer } from './given-groups.js';
import { blockGroups, layoutOfGroups } from './group-layout.js';
import type { KvLayout } from './spec.generated.js';
import { findModelGroups } from './models/find-model.js';
import { LAYOUT_DEFAULTS } from './layout-schema.js';
import { specAs } from '../../runner/job/kind.js';

type Given = Readonly<Record<string, unknown>>;
type LayoutAnswer = { readonly layout: KvLayout } | { readonly issues: readonly SpecIssue[] };

const DIMENSIONS = ['numLayers', 'outerDim', 'innerDim'] as const;
const SOURCES = ['model', 'groups'] as const;

export type TierLayouts = Record<'layout' | 'hostLayout' | 'diskLayout', KvLayout>;

/**
 * The layouts of all tiers: `hostLayout` and `diskLayout` change keys of `layout`, the device's. Adds to `issues`; null where
 * the device's layout has some.
 */
export function resolveTierLayouts(
  given: Given,
  device: Given,
  swept: JsonObject,
  files: SpecFiles,
  issues: SpecIssue[],
): TierLayouts | null {
  const answer = resolveLayout('layout', device, null, swept, files);
  if ('issues' in answer) {
    issues.push(...answer.issues);
    return null;
  }
  const { layout } = answer;
  const tierLayout = (key: 'hostLayout' | 'diskLayout'): KvLayout => {
    if (!isObject(given[key])) return layout;
    const own = resolveLayout(key, given[key], layout, swept, files);
    if ('layout' in own) return own.layout;
    issues.push(...own.issues);
    return layout;
  };
  return { layout, hostLayout: tierLayout('hostLayout'), diskLayout: tierLayout('diskLayout') };
}

/** One tier's layout: its own keys over those of `base` (the device's), or over the defaults. */
function resolveLayout(
  key: string,
  given: Given,
  base: KvLayout | null,
  swept: JsonObject,
  files: SpecFiles,
): LayoutAnswer {
  const at = (name: string): string => pointerOf([key, name]);
  // Heads are spread only where a model or groups say what there is to spread.
  const { tensorParallel: _, ...defaults } = LAYOUT_DEFAULTS;
  const merged: Record<string, unknown> = { ...defaults, ...base, ...given };
  const issues = combinationIssues(key, given, merged, swept);
  const source = SOURCES.find((name) => given[name] !== undefined);
  if (source !== undefined) {
    const tensorParallel = Number(merged['tensorParallel'] ?? LAYOUT_DEFAULTS.tensorParallel);
    merged['tensorParallel'] = tensorParallel;
    const found = sourceGroups(source, given, Number(merged['dtypeWidthBytes']), at, files);
    const answer = 'issues' in found ? found : blockGroups(found.groups, given, tensorParallel, at);
    if ('issues' in answer) return { issues: [...issues, ...answer.issues] };
    const placed = layoutOfGroups(answer.groups, Number(merged['pageSize']), at);
    if ('issues' in placed) return { issues: [...issues, ...placed.issues] };
    for (const name of [...DIMENSIONS, 'groups']) delete merged[name];
    Object.assign(merged, placed.keys);
    // The device's model does not describe a tier with groups of its own.
    if (source === 'groups') for (const name of ['model', 'mtp']) delete merged[name];
  } else {
    issues.push(...dimensionIssues(given, merged, at));
    const said = DIMENSIONS.some((name) => given[name] !== undefined);
    // Dimensions of its own: the device's model does not describe this tier.
    if (said) for (const name of ['model', 'tensorParallel', 'mtp', 'groups', 'group']) delete merged[name];
  }
  return issues.length > 0 ? { issues } : { layout: specAs<KvLayout>(merged) };
}

function sourceGroups(
  source: (typeof SOURCES)[number],
  given: Given,
  dtypeWidthBytes: number,
  at: (name: string) => string,
  files: SpecFiles,
): GroupsAnswer {
  if (source === 'groups')
    return readGroups([given['groups']].flat().filter(isObject), dtypeWidthBytes, at('groups'));
  // A width by hand wins over what the model's files say.
  const byHand = given['dtypeWidthBytes'] === undefined ? null : dtypeWidthBytes;
  const options = { dtypeWidthBytes: byHand, mtp: given['mtp'] === true };
  const found = findModelGroups(String(given['model']), at('model'), files, options);
  return 'issue' in found ? { issues: [found.issue] } : found;
}

/** Keys that exclude each other. */
function combinationIssues(key: string, given: Given, merged: Given, swept: JsonObject): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const refuse = (name: string, expected: string, hint?: string): void => {
    const received = showValue(given[name]);
    issues.push({ pointer: pointerOf([key, name]), expected, received, ...(hint ? { hint } : {}) });
  };
  if (given['blockDim'] !== undefined && merged['kind'] === 'fullyContiguous' && !(`${key}.kind` in swept)) {
    refuse('blockDim', 'nothing with kind fullyContiguous');
  }
  const source = SOURCES.find((name) => given[name] !== undefined);
  if (source === undefined) {
    for (const name of ['tensorParallel', 'group']) {
      if (given[name] !== undefined) refuse(name, 'nothing without model or groups');
    }
    if (given['mtp'] !== undefined) refuse('mtp', 'nothing without model');
    return issues;
  }
  if (source === 'groups' && given['mtp'] !== undefined) refuse('mtp', 'nothing without model');
  const said = source === 'model' ? 'the model says' : 'the groups say';
  for (const name of DIMENSIONS.filter((dimension) => given[dimension] !== undefined)) {
    refuse(name, `omitted where \`${source}\` is set`, `${said} ${name}: remove one of the two`);
  }
  if (source === 'model' && given['groups'] !== undefined) refuse('groups', 'omitted where `model` is set');
  return issues;
}

function dimensionIssues(given: Given, merged: Given, at: (name: string) => string): SpecIssue[] {
  const isOwn = DIMENSIONS.some((name) => given[name] !== undefined);
  // A tier takes the groups of the device's layout.
  if (isObject(merged['groups']) || (Array.isArray(merged['groups']) && !isOwn)) {
    if (given['dtypeWidthBytes'] === undefined) return [];
    const expected = 'nothing where the groups of layout have widths of their own';
    return [{ pointer: at('dtypeWidthBytes'), expected, received: showValue(given['dtypeWidthBytes']) }];
  }
  const hint = 'give numLayers, outerDim and innerDim, or groups, or a model';
  return DIMENSIONS.filter((dimension) => merged[dimension] === undefined).map((name) => ({
    pointer: at(name),
    expected: 'a whole number from 1, or groups, or model',
    received: 'nothing',
    hint,
  }));
}
