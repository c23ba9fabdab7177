/** Turns a transfer as written into what runs: the model in groups, both layouts in numbers, the matrix in blocks. */
import type { SpecFiles } from '../../runner/job-spec/files.js';
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import { isObject, pointerOf } from '../../runner/job-spec/pointer.js';
import type { ResolveAnswer, ResolveRequest } from '../../runner/job-spec/spec-kind.js';
import type { JsonObject } from '../../runner/job-spec/types.js';
import { readGroups, type GroupsAnswer } from '../kv/given-groups.js';
import { blockGroups, layoutOfGroups } from '../kv/group-layout.js';
import { LAYOUT_DEFAULTS } from '../kv/layout-schema.js';
import { findModelGroups } from '../kv/models/find-model.js';
import type { KvGroup } from '../kv/models/geometry.js';
import { headPageBytes, pagesPerFlowBlock } from './sides.js';
import { isSplit } from './heads.js';
import { MODEL_KEYS, SIDE_DEFAULTS } from './schema.js';
import type { TransferSpec } from './spec.generated.js';
import { MATRIX_LIMIT_BYTES, MatrixIssue, parseTrafficMatrix } from './traffic-matrix.js';
import { specAs } from '../../runner/job/kind.js';
import { asJsonObject } from '../../runner/values/json.js';

type Given = Readonly<Record<string, unknown>>;

export function resolveTransfer({ spec, given, swept, files }: ResolveRequest): ResolveAnswer {
  const layout: Given = isObject(given['layout']) ? given['layout'] : {};
  const target: Given = isObject(given['targetLayout']) ? given['targetLayout'] : {};
  const issues = sideKeyIssues(layout, target, swept);
  const found = wholeModel(layout, files);
  if ('issues' in found) return { issues: [...issues, ...found.issues] };
  const said = Object.fromEntries(
    MODEL_KEYS.filter((key) => layout[key] !== undefined).map((key) => [key, layout[key]]),
  );
  const source = { ...SIDE_DEFAULTS, ...layout, ...said, groups: found.groups };
  const resolved: Record<string, unknown> = {
    ...spec,
    layout: source,
    targetLayout: { ...source, ...target },
    numLayers: new Set(found.groups.flatMap(({ layers }) => layers)).size,
  };
  resolved['layerRange'] ??= [0, resolved['numLayers']];
  const typed = specAs<TransferSpec>(resolved);
  issues.push(...splitIssues(typed, found.groups), ...resolveMatrix(resolved, given, swept, files));
  return issues.length > 0 ? { issues } : { spec: asJsonObject(resolved) };
}

function sideKeyIssues(layout: Given, target: Given, swept: JsonObject): SpecIssue[] {
  const kinds = [
    ['layout', layout, layout['kind'] ?? SIDE_DEFAULTS.kind],
    ['targetLayout', target, target['kind'] ?? layout['kind'] ?? SIDE_DEFAULTS.kind],
  ] as const;
  return kinds.flatMap(([key, side, kind]) => {
    if (side['blockDim'] === undefined || kind !== 'fullyContiguous' || `${key}.kind` in swept) return [];
    const pointer = pointerOf([key, 'blockDim']);
    return [
      { pointer, expected: 'nothing with kind fullyContiguous', received: showValue(side['blockDim']) },
    ];
  });
}

/** What the model keeps in blocks, before any tensor parallelism. */
function wholeModel(layout: Given, files: SpecFiles): GroupsAnswer {
  const at = (name: string): string => pointerOf(['layout', name]);
  const { model, groups } = layout;
  if ((model === undefined) === (groups === undefined)) {
    const expected = 'either model or groups: heads move between ranks, so a layout has to say its heads';
    const received = model === undefined ? 'neither' : 'both';
    return { issues: [{ pointer: '/layout', expected, received }] };
  }
  if (layout['mtp'] !== undefined && model === undefined) {
    return {
      issues: [{ pointer: at('mtp'), expected: 'nothing without model', received: showValue(layout['mtp']) }],
    };
  }
  const { dtypeWidthBytes } = layout;
  const width = typeof dtypeWidthBytes === 'number' ? dtypeWidthBytes : undefined;
  const found =
    groups === undefined
      ? modelGroups(String(model), layout, width, files)
      : readGroups([groups].flat().filter(isObject), width ?? LAYOUT_DEFAULTS.dtypeWidthBytes, at('groups'));
  return 'issues' in found ? found : blockGroups(found.groups, layout, 1, at);
}

function modelGroups(
  model: string,
  layout: Given,
  width: number | undefined,
  files: SpecFiles,
): GroupsAnswer {
  const options = { dtypeWidthBytes: width ?? null, mtp: layout['mtp'] === true };
  const found = findModelGroups(model, '/layout/model', files, options);
  return 'issue' in found ? { issues: [found.issue] } : found;
}

/** Heads that do not split, pages that do not fit each other, regions that are not whole. */
function splitIssues(spec: TransferSpec, groups: readonly KvGroup[]): SpecIssue[] {
  const sizes = [spec.layout.pageSize, spec.targetLayout.pageSize];
  const [small, large] = [Math.min(...sizes), Math.max(...sizes)];
  if (large % small !== 0) {
    const expected = `a multiple or a divisor of the source's ${spec.layout.pageSize} tokens`;
    return [{ pointer: '/targetLayout/pageSize', expected, received: showValue(spec.targetLayout.pageSize) }];
  }
  const smaller = spec.layout.pageSize === small ? 'layout' : 'targetLayout';
  const issues: SpecIssue[] = [];
  for (const key of ['sourceTensorParallel', 'targetTensorParallel'] as const) {
    const at = (name: string): string => {
      if (name === 'tensorParallel') return `/${key}`;
      return pointerOf([name === 'pageSize' ? smaller : 'layout', name]);
    };
    const split = blockGroups(groups, {}, spec[key], at);
    const placed = 'issues' in split ? split : layoutOfGroups(split.groups, small, at);
    if ('issues' in placed) issues.push(...placed.issues);
  }
  const scaled = groups.find((group) => isSplit(group) && (group.scaleBytes ?? 0) > 0);
  if (scaled !== undefined) {
    const expected = 'groups whose regions divide into heads';
    const received = `group ${scaled.name}, which keeps ${scaled.scaleBytes} bytes of scales with its heads`;
    issues.push({ pointer: '/layout', expected, received, hint: 'take another by `group`' });
  }
  return issues;
}

function resolveMatrix(
  resolved: Record<string, unknown>,
  given: Given,
  swept: JsonObject,
  files: SpecFiles,
): SpecIssue[] {
  const pointer = '/matrix';
  const path = resolved['matrix'];
  if (resolved['pattern'] !== 'matrix') {
    delete resolved['matrix'];
    if (given['matrix'] === undefined || 'pattern' in swept) return [];
    return [{ pointer, expected: 'nothing without pattern matrix', received: showValue(given['matrix']) }];
  }
  if (path === undefined) {
    return [
      { pointer, expected: 'string: pattern matrix needs a file', received: 'nothing: the key is missing' },
    ];
  }
  const answer = files.read(String(path), MATRIX_LIMIT_BYTES);
  if (!('file' in answer)) {
    return [{ pointer, expected: 'a readable matrix file', received: answer.received, hint: answer.hint }];
  }
  const { file } = answer;
  try {
    const bytes = flowBlockBytes(specAs(resolved));
    const blocks = parseTrafficMatrix(file.text).map((row) => row.map((cell) => Math.ceil(cell / bytes)));
    resolved['matrix'] = { path: file.path, sha256: file.sha256, blocks };
    return [];
  } catch (error) {
    if (!(error instanceof MatrixIssue)) throw error;
    return [
      { pointer, expected: error.expected, received: `${error.received} (${file.path}:${error.line})` },
    ];
  }
}

/** Bytes of a block by which flows are counted, of the whole model. */
export function flowBlockBytes(spec: TransferSpec): number {
  const groups = spec.layout.groups as readonly KvGroup[];
  const page = groups.reduce(
    (sum, group) => sum + headPageBytes(spec, group) * (isSplit(group) ? group.kvHeads : 1),
    0,
  );
  return page * pagesPerFlowBlock(spec);
}
