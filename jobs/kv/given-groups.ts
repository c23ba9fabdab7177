/** Groups of layers as a spec writes them by hand. Shapes are the schema's; what is checked here hangs together. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import { MOST_LAYERS } from './group-schema.js';
import { COMPRESSIONS, GROUP_KINDS, withBytes, type Compression, type KvGroup } from './models/geometry.js';
import { isOneOf } from '../../runner/values/items.js';
import { isObject } from '../../runner/job-spec/pointer.js';
import { readNumber, readWord } from '../../runner/values/keys.js';

type Given = Readonly<Record<string, unknown>>;
export type GroupsAnswer =
  { readonly groups: readonly KvGroup[] } | { readonly issues: readonly SpecIssue[] };

/** `pointer` is that of the list; `dtypeWidthBytes` is the layout's. */
export function readGroups(given: readonly Given[], dtypeWidthBytes: number, pointer: string): GroupsAnswer {
  const issues: SpecIssue[] = [];
  const groups = given.map((each, index) =>
    readGroup(each, dtypeWidthBytes, (key, expected, received, hint) => {
      issues.push({
        pointer: `${pointer}/${index}/${key}`,
        expected,
        received,
        ...(hint === undefined ? {} : { hint }),
      });
    }),
  );
  if (issues.length === 0) issues.push(...nameIssues(groups, pointer), ...coverIssues(groups, pointer));
  return issues.length > 0 ? { issues } : { groups };
}

type Refuse = (key: string, expected: string, received: string, hint?: string) => void;

function readGroup(given: Given, layoutWidth: number, refuse: Refuse): KvGroup {
  const kind = isOneOf(GROUP_KINDS, given['kind']) ? given['kind'] : 'kv';
  const number = (key: string, otherwise: number): number => {
    const value = given[key];
    return typeof value === 'number' ? value : otherwise;
  };
  const isKv = kind === 'kv';
  if (kind === 'state') return stateGroup(given, refuse);
  if (!isKv && number('kvHeads', 1) !== 1) {
    refuse('kvHeads', `1 with kind ${kind}: one vector serves all heads`, showValue(given['kvHeads']));
  }
  for (const key of isKv ? ['kvHeads', 'headDimK'] : ['headDimK']) {
    if (number(key, 0) < 1) refuse(key, `integer >= 1 with kind ${kind}`, showValue(given[key]));
  }
  if (!isKv && number('headDimV', 0) !== 0) {
    refuse('headDimV', `0 with kind ${kind}: one vector holds everything`, showValue(given['headDimV']));
  }
  const compression = readCompression(given['compression']);
  const group = withBytes({
    name: String(given['name']),
    layers: readLayers(given['layers'], refuse),
    kind,
    kvHeads: isKv ? number('kvHeads', 1) : 1,
    headDimK: number('headDimK', 1),
    headDimV: number('headDimV', isKv ? number('headDimK', 1) : 0),
    window: typeof given['window'] === 'number' ? given['window'] : null,
    dtypeWidthBytes: number('dtypeWidthBytes', layoutWidth),
    ...(given['scaleBytes'] === undefined ? {} : { scaleBytes: number('scaleBytes', 0) }),
    ...(compression === undefined ? {} : { compression }),
  });
  const said = given['bytesPerToken'];
  if (said !== undefined && said !== group.bytesPerToken) {
    const expected = `${group.bytesPerToken}, what the other keys of the group give for all its layers`;
    refuse('bytesPerToken', expected, showValue(said), 'remove it, or correct the sizes');
  }
  return group;
}

function readCompression(given: unknown): Compression | undefined {
  if (!isObject(given)) return undefined;
  return { how: readWord(given, 'how', COMPRESSIONS), ratio: readNumber(given, 'ratio') };
}

function stateGroup(given: Given, refuse: Refuse): KvGroup {
  return withBytes({
    name: String(given['name']),
    layers: readLayers(given['layers'], refuse),
    kind: 'state',
    kvHeads: 0,
    headDimK: 0,
    headDimV: 0,
    window: null,
    dtypeWidthBytes: 1,
  });
}

/** A list, or ranges in words; ascending, each layer once. */
function readLayers(given: unknown, refuse: Refuse): readonly number[] {
  const layers: number[] =
    typeof given === 'string' ? given.split(',').flatMap(rangeOf) : [given].flat().map(Number);
  const wrong = layers.find((layer, place) => place > 0 && layer <= (layers[place - 1] ?? 0));
  if (layers.length === 0 || wrong !== undefined) {
    const where = wrong === undefined ? '' : `: ${wrong} does not follow`;
    refuse('layers', 'layers in ascending order, each once', `${showValue(given)}${where}`);
  }
  return layers;
}

function rangeOf(words: string): number[] {
  const [first = 0, last = first] = words.split('-').map(Number);
  const length = Math.min(last - first + 1, MOST_LAYERS);
  return Array.from({ length: Math.max(0, length) }, (_, place) => first + place);
}

function nameIssues(groups: readonly KvGroup[], pointer: string): SpecIssue[] {
  return groups.flatMap(({ name }, index) => {
    if (groups.findIndex((other) => other.name === name) === index) return [];
    const expected = 'a name that no other group has';
    return [{ pointer: `${pointer}/${index}/name`, expected, received: showValue(name) }];
  });
}

/** Every layer from 0 to the last is in a group, and in only one of those that keep the same thing. */
function coverIssues(groups: readonly KvGroup[], pointer: string): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const ownerOf = new Map<string, string>();
  const covered = new Set<number>();
  for (const [index, { name, layers, kind }] of groups.entries()) {
    const what = kind === 'latent' ? 'kv' : kind;
    const shared = layers.filter((layer) => ownerOf.has(`${what}:${layer}`));
    if (shared.length > 0) {
      const other = ownerOf.get(`${what}:${shared[0]}`);
      const expected = `layers of which no other group of this kind has one: group ${other} has ${shared[0]}`;
      issues.push({ pointer: `${pointer}/${index}/layers`, expected, received: showLayers(shared) });
    }
    for (const layer of layers) {
      ownerOf.set(`${what}:${layer}`, name);
      covered.add(layer);
    }
  }
  const last = Math.max(...covered);
  const missing = Array.from({ length: last + 1 }, (_, layer) => layer).filter(
    (layer) => !covered.has(layer),
  );
  if (missing.length > 0) {
    const expected = `every layer from 0 to ${last} in a group`;
    const hint = 'layers that keep nothing per token are a group of kind state';
    issues.push({ pointer, expected, received: `no group with ${showLayers(missing)}`, hint });
  }
  return issues;
}

const MOST_SHOWN = 8;

function showLayers(layers: readonly number[]): string {
  const shown = layers.slice(0, MOST_SHOWN).join(', ');
  const rest = layers.length > MOST_SHOWN ? `, ... (${layers.length} layers)` : '';
  return `${layers.length === 1 ? 'layer' : 'layers'} ${shown}${rest}`;
}
