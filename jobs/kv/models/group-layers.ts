/** Layers that keep the same are one group. */
import { withBytes, type Compression, type KvGroup } from './geometry.js';
import type { TokenShape } from './head-sizes.js';
import type { IndexShape } from './index-caches.js';

/** What one layer keeps; a layer may have several of the parts, or none. */
export interface LayerCache {
  readonly layer: number;
  readonly attention?: {
    readonly shape: TokenShape;
    readonly window: number | null;
    readonly compression?: Compression;
  };
  readonly index?: IndexShape;
  readonly hasState: boolean;
}

type Unnamed = Omit<KvGroup, 'name' | 'layers' | 'bytesPerToken'>;

export function groupLayers(
  layers: readonly LayerCache[],
  dtypeWidthBytes: number,
  stateElementsPerLayer: number | null,
): KvGroup[] {
  const found = new Map<string, { group: Unnamed; layers: number[] }>();
  const add = (group: Unnamed, layer: number): void => {
    const key = JSON.stringify(group);
    const entry = found.get(key) ?? { group, layers: [] };
    entry.layers.push(layer);
    found.set(key, entry);
  };
  for (const cache of layers) {
    if (cache.attention) add(attentionGroup(cache.attention, dtypeWidthBytes), cache.layer);
    if (cache.index) add(indexGroup(cache.index, dtypeWidthBytes), cache.layer);
    if (cache.hasState) add(stateGroup(dtypeWidthBytes), cache.layer);
  }
  const groups = [...found.values()];
  const names = namesOf(groups.map(({ group }) => group));
  return groups.map(({ group, layers: members }, at) => {
    const elements = stateElementsPerLayer === null ? null : stateElementsPerLayer * members.length;
    const state = group.kind === 'state' ? { stateElements: elements } : {};
    return withBytes({ name: names[at] ?? '', layers: members, ...group, ...state });
  });
}

function attentionGroup(attention: NonNullable<LayerCache['attention']>, dtypeWidthBytes: number): Unnamed {
  const { shape, window, compression } = attention;
  return {
    kind: shape.latent ? 'latent' : 'kv',
    kvHeads: shape.kvHeads,
    headDimK: shape.headDimK,
    headDimV: shape.headDimV,
    window,
    dtypeWidthBytes,
    ...(compression === undefined ? {} : { compression }),
  };
}

function indexGroup(index: IndexShape, dtypeWidthBytes: number): Unnamed {
  return {
    kind: 'index',
    kvHeads: 1,
    headDimK: index.dim,
    headDimV: 0,
    window: null,
    dtypeWidthBytes: Math.min(index.dtypeWidthBytes, dtypeWidthBytes),
    ...(index.scaleBytes > 0 ? { scaleBytes: index.scaleBytes } : {}),
    ...(index.tokensPerKey > 1 ? { compression: { how: 'pooled', ratio: index.tokensPerKey } } : {}),
  };
}

function stateGroup(dtypeWidthBytes: number): Unnamed {
  return { kind: 'state', kvHeads: 0, headDimK: 0, headDimV: 0, window: null, dtypeWidthBytes };
}

/** full, window, latent, index, state; where several would be called alike, with what sets them apart. */
function namesOf(groups: readonly Unnamed[]): string[] {
  const plain = groups.map(plainName);
  const byHeads = groups.map((group, at) => `${plain[at]}-${group.kvHeads}x${group.headDimK}`);
  return groups.map((_, at) => {
    const name = plain[at] ?? '';
    if (plain.indexOf(name) === plain.lastIndexOf(name)) return name;
    const longer = byHeads[at] ?? '';
    return byHeads.indexOf(longer) === byHeads.lastIndexOf(longer) ? longer : `${longer}-${at}`;
  });
}

function plainName(group: Unnamed): string {
  if (group.kind === 'index' || group.kind === 'state') return group.kind;
  if (group.compression)
    return group.compression.ratio === 0 ? 'window' : `compressed-${group.compression.ratio}`;
  if (group.window !== null) return 'window';
  return group.kind === 'latent' ? 'latent' : 'full';
}
