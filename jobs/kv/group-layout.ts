/** From the groups of a whole model to the layout of one rank's blocks. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import { suggestion } from '../../runner/job-spec/suggest.js';
import type { GroupsAnswer } from './given-groups.js';
import { MOST_GROUPS } from './group-schema.js';
import { groupRegionBytes, outerBytes, type KvGroup } from './models/geometry.js';
import { splitGroups } from './models/split-groups.js';

type Given = Readonly<Record<string, unknown>>;
type At = (name: string) => string;
/** Keys of a layout that groups decide. */
interface LayoutKeys {
  readonly numLayers: number;
  readonly outerDim?: number;
  readonly innerDim?: number;
  readonly dtypeWidthBytes?: number;
  readonly groups?: readonly KvGroup[];
}
type KeysAnswer = { readonly keys: LayoutKeys } | { readonly issues: readonly SpecIssue[] };

/** The narrowest access of copies that are not byte by byte; a region of another size shifts all that follow it. */
const REGION_MULTIPLE_BYTES = 4;

/** What blocks of one rank hold: all groups or the one that `group` names, without state, split by heads. */
export function blockGroups(
  groups: readonly KvGroup[],
  given: Given,
  tensorParallel: number,
  at: At,
): GroupsAnswer {
  const wanted = given['group'];
  const refuse = (name: string, expected: string, received: string, hint?: string): GroupsAnswer => ({
    issues: [{ pointer: at(name), expected, received, ...(hint === undefined ? {} : { hint }) }],
  });
  const names = groups.filter(({ kind }) => kind !== 'state').map(({ name }) => name);
  const expected = `a group of these layers: ${names.join(', ')}`;
  if (wanted !== undefined && !names.includes(String(wanted))) {
    const isState = groups.some(({ name }) => name === wanted);
    const hint = isState
      ? 'a state is kept once per sequence, not in blocks'
      : suggestion(String(wanted), names);
    return refuse('group', expected, showValue(wanted), hint);
  }
  const taken = groups.filter(
    ({ name, kind }) => kind !== 'state' && (wanted === undefined || name === wanted),
  );
  const source = given['model'] === undefined ? 'groups' : 'model';
  if (taken.length === 0) return refuse(source, 'layers that keep something for each token', 'none');
  if (taken.length > MOST_GROUPS) {
    const received = `${taken.length}: ${names.join(', ')}`;
    return refuse(source, `at most ${MOST_GROUPS} groups of layers`, received, 'take one by `group`');
  }
  const split = splitGroups(taken, tensorParallel);
  if ('groups' in split) return split;
  return refuse('tensorParallel', split.expected, showValue(tensorParallel));
}

/** One group of equal regions is numLayers x outerDim x innerDim, as written by hand; everything else is groups. */
export function layoutOfGroups(groups: readonly KvGroup[], pageSize: number, at: At): KeysAnswer {
  const issues = groups.flatMap((group) => regionIssues(group, groups.length, pageSize, at));
  if (issues.length > 0) return { issues };
  const layers = new Set(groups.flatMap((group) => group.layers));
  const [only] = groups;
  if (groups.length === 1 && only !== undefined && isPlain(only)) {
    const outers = outerBytes(only);
    const { dtypeWidthBytes } = only;
    return {
      keys: {
        numLayers: layers.size,
        outerDim: outers.length,
        innerDim: (outers[0] ?? 0) / dtypeWidthBytes,
        dtypeWidthBytes,
      },
    };
  }
  return { keys: { numLayers: layers.size, groups } };
}

function isPlain(group: KvGroup): boolean {
  const outers = outerBytes(group);
  const whole = outers.every((bytes) => bytes === outers[0] && bytes % group.dtypeWidthBytes === 0);
  return whole && group.window === null && group.compression === undefined;
}

function regionIssues(group: KvGroup, numGroups: number, pageSize: number, at: At): SpecIssue[] {
  const { compression, name } = group;
  if (compression?.how === 'aged' && compression.ratio !== 0) {
    const expected = 'groups that keep the same bytes for each of their tokens';
    const received = `group ${name}, of which one entry for ${compression.ratio} tokens stays beyond the window`;
    const hint = 'take another by `group`, or write the window and the compressed entries as two groups';
    return [{ pointer: at('groups'), expected, received, hint }];
  }
  return groupRegionBytes(group, pageSize).flatMap((bytes) => {
    if (!Number.isInteger(bytes)) {
      const expected = `a multiple of ${compression?.ratio}, the tokens of an entry of group ${name}`;
      return [{ pointer: at('pageSize'), expected, received: showValue(pageSize) }];
    }
    if (numGroups === 1 || bytes % REGION_MULTIPLE_BYTES === 0) return [];
    const expected = `regions of a multiple of ${REGION_MULTIPLE_BYTES} bytes, which keep the others aligned`;
    const received = `${bytes} bytes of group ${name} in a block of ${pageSize} tokens`;
    return [{ pointer: at('pageSize'), expected, received, hint: 'take more tokens per block' }];
  });
}
