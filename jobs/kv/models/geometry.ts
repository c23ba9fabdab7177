/**
 * What a model keeps for its tokens: groups of layers that are alike. Pure data; `read-config.ts` makes it from a
 * config.json, `layout.groups` of a spec says it by hand.
 */

/**
 * kv: K and V of `kvHeads` heads. latent: one vector per token (multi-head latent attention), shared by all heads.
 * index: the keys of a sparse attention's indexer. state: recurrent or convolution state, per sequence, not per token.
 */
export const GROUP_KINDS = ['kv', 'latent', 'index', 'state'] as const;
export type GroupKind = (typeof GROUP_KINDS)[number];

/** Layers of one kind and one shape. Sizes are those of one tensor-parallel rank once `splitGroups` has run. */
export interface KvGroup {
  /** Once in a geometry: full, window, latent, index, state, ... */
  readonly name: string;
  /** Indices of the model's layers, from 0, ascending. An index group names the layers whose indexer it serves. */
  readonly layers: readonly number[];
  readonly kind: GroupKind;
  /** 1 for latent and index, 0 for state. */
  readonly kvHeads: number;
  /** Elements of one head's K; of the whole vector for latent and index; 0 for state. */
  readonly headDimK: number;
  /** Elements of one head's V; 0 where one vector holds everything. */
  readonly headDimV: number;
  /** Tokens after which an entry is no longer needed; null: kept for the whole context. */
  readonly window: number | null;
  /** Bytes of an element. */
  readonly dtypeWidthBytes: number;
  /** Bytes that all layers of this group keep for one token inside the window; 0 for state. */
  readonly bytesPerToken: number;
  /**
   * Bytes of a token inside the window in addition to the elements: scales of an 8-bit index. Per layer; absent: none.
   * bytesPerToken = layers x (kvHeads x (headDimK + headDimV) x dtypeWidthBytes + scaleBytes) / tokensPerEntry.
   */
  readonly scaleBytes?: number;
  /** Tokens that share one entry, in addition to the window where there is one; absent: 1 token, 1 entry. */
  readonly compression?: Compression;
  /** state: elements of all layers of this group for one sequence; null: not known for this family. */
  readonly stateElements?: number | null;
}

export const COMPRESSIONS = ['pooled', 'aged'] as const;

/**
 * A compressing cache. `pooled`: every entry stands for `ratio` tokens. `aged`: a token has an entry of its own inside
 * the window, and one entry for `ratio` tokens stays beyond it; ratio 0: nothing stays.
 */
export interface Compression {
  readonly how: (typeof COMPRESSIONS)[number];
  readonly ratio: number;
}

/** Layers that keep nothing of their own, and why: `no attention`, `shares the cache of layer 14`. */
export interface LayersWithout {
  readonly layers: readonly number[];
  readonly why: string;
}

export interface ModelGeometry {
  /** model_type of the object that was read; null where the file has none. */
  readonly modelType: string | null;
  /** Decoder layers, with those that keep nothing, and with MTP layers where they were asked for. */
  readonly numLayers: number;
  readonly groups: readonly KvGroup[];
  readonly without: readonly LayersWithout[];
  /** Keys of the file that decided, sorted. */
  readonly decidedBy: readonly string[];
  /** What was assumed, and where engines differ: sentences for a user. */
  readonly notes: readonly string[];
}

/** Bytes of one token in one layer, for each region of its own: K and V apart, or one latent or index. */
export function outerBytes(group: KvGroup): number[] {
  if (group.kind === 'state') return [];
  const { kvHeads, headDimK, headDimV, dtypeWidthBytes } = group;
  const bytes = [kvHeads * headDimK * dtypeWidthBytes + (group.scaleBytes ?? 0)];
  if (headDimV > 0) bytes.push(kvHeads * headDimV * dtypeWidthBytes);
  return bytes;
}

/** Of one block of so many tokens and one layer, by outer index. Not whole where entries of several tokens do not fill a page. */
export function groupRegionBytes(group: KvGroup, pageSize: number): number[] {
  const tokens = group.compression?.how === 'pooled' ? group.compression.ratio : 1;
  return outerBytes(group).map((bytes) => (bytes * pageSize) / tokens);
}

/** Bytes of one entry in one layer. */
export function entryBytes(group: KvGroup): number {
  return outerBytes(group).reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes that all layers of a group keep for a token that is older than every window. */
function bytesBeyondWindow(group: KvGroup): number {
  const { compression } = group;
  if (compression?.how === 'aged') {
    return compression.ratio === 0 ? 0 : (group.layers.length * entryBytes(group)) / compression.ratio;
  }
  return group.window === null ? group.bytesPerToken : 0;
}

/** A group with its bytesPerToken worked out from the rest. */
export function withBytes(group: Omit<KvGroup, 'bytesPerToken'>): KvGroup {
  const whole = { ...group, bytesPerToken: 0 };
  const tokens = group.compression?.how === 'pooled' ? group.compression.ratio : 1;
  return { ...whole, bytesPerToken: (group.layers.length * entryBytes(whole)) / tokens };
}

export interface GeometryBytes {
  /** K, V and latents of all layers, for one token inside every window. */
  readonly bytesPerToken: number;
  /** Index caches of all layers, for one token. */
  readonly indexBytesPerToken: number;
  /**
   * What stays for a token that left every window: K, V, latents and compressed entries, these with the index keys that
   * find them (DeepSeek-V4); other index caches are only in indexBytesPerToken.
   */
  readonly bytesPerTokenBeyondWindow: number;
}

export function geometryBytes(groups: readonly KvGroup[]): GeometryBytes {
  const sum = (of: readonly KvGroup[], bytes: (group: KvGroup) => number): number =>
    of.reduce((total, group) => total + bytes(group), 0);
  const index = groups.filter((group) => group.kind === 'index');
  const others = groups.filter((group) => group.kind !== 'index');
  const pooledIndex = index.filter((group) => group.compression !== undefined);
  return {
    bytesPerToken: sum(others, (group) => group.bytesPerToken),
    indexBytesPerToken: sum(index, (group) => group.bytesPerToken),
    bytesPerTokenBeyondWindow: sum([...others, ...pooledIndex], bytesBeyondWindow),
  };
}
