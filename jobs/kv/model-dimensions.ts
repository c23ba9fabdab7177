/** A model's groups as the one shape that a layout holds; models of several shapes are refused by name. */
import type { SpecFiles } from '../../runner/job-spec/files.js';
import { showValue, type Fault } from '../../runner/job-spec/issue.js';
import { findModelGroups } from './models/find-model.js';
import { outerBytes, type KvGroup } from './models/geometry.js';
import { splitGroups } from './models/split-groups.js';

export interface ModelDimensions {
  readonly numLayers: number;
  readonly outerDim: number;
  readonly innerDim: number;
  readonly dtypeWidthBytes: number;
}

export function modelDimensions(
  model: string,
  given: Readonly<Record<string, unknown>>,
  tensorParallel: number,
  files: SpecFiles,
  at: (name: string) => string,
): { readonly dimensions: ModelDimensions } | { readonly fault: Fault } {
  const width = given['dtypeWidthBytes'];
  const dtypeWidthBytes = typeof width === 'number' ? width : null;
  const found = findModelGroups(model, at('model'), files, { dtypeWidthBytes, mtp: given['mtp'] === true });
  if ('fault' in found) return found;
  const kept = found.groups.filter(({ kind }) => kind !== 'state');
  const [only] = kept;
  if (kept.length !== 1 || only === undefined || !isUniform(only)) {
    const received = kept.map(describe).join('; ');
    const expected = 'a model whose layers keep the same for every token';
    const hint = 'write numLayers, outerDim and innerDim of one of its groups';
    return { fault: { pointer: at('model'), expected, received, hint } };
  }
  const split = splitGroups([only], tensorParallel);
  if (!('groups' in split)) {
    const received = showValue(tensorParallel);
    return { fault: { pointer: at('tensorParallel'), expected: split.expected, received } };
  }
  const [group = only] = split.groups;
  const regions = outerBytes(group);
  const innerDim = (regions[0] ?? 0) / group.dtypeWidthBytes;
  const dimensions = { numLayers: group.layers.length, outerDim: regions.length, innerDim };
  return { dimensions: { ...dimensions, dtypeWidthBytes: group.dtypeWidthBytes } };
}

function isUniform(group: KvGroup): boolean {
  const regions = outerBytes(group);
  return (
    group.window === null && group.compression === undefined && regions.every((bytes) => bytes === regions[0])
  );
}

function describe(group: KvGroup): string {
  const window = group.window === null ? '' : `, window ${group.window}`;
  return `${group.name}: ${group.layers.length} layers x ${outerBytes(group).join(' + ')} bytes per token${window}`;
}
