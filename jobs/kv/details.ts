/** What a block holds, in words and figures: for `plan`, the rows and the table at the end. */
import type { KvLayout, KvLayoutGroup, KvSpec } from './spec.generated.js';
import { blockBytes, layerBytes, regionGroups } from './layout.js';
import { firstOf } from '../../runner/values/items.js';
import { movedOfWindow, sectionsOf } from './sections.js';

type Details = Readonly<Record<string, string | number>>;

/** Sizes of a block, and what of it is still kept when its tokens have left every window. */
export function detailsOf(spec: KvSpec): Details {
  const groups = regionGroups(spec.layout);
  const [first, ...windowed] = sectionsOf(spec, spec.from);
  const beyond = blockBytes(groups.filter(({ window }) => window === null));
  const bytes = blockBytes(groups);
  const sizes = [...new Set(groups.flatMap(({ regionBytes }) => regionBytes))];
  const windows = windowed.map((section) => {
    const { name, blocks } = movedOfWindow(spec, section);
    return [`blocks_of_${name}`, `${blocks} (${section.windowBlocks} per request)`];
  });
  return {
    region_bytes: sizes.length === 1 ? (sizes[0] ?? 0) : sizes.join('|'),
    block_bytes: bytes,
    ...(beyond === bytes ? {} : { block_bytes_beyond_window: beyond }),
    blocks: spec.blocks,
    ...(first?.windowBlocks == null ? {} : { blocks_per_request: first.windowBlocks }),
    ...Object.fromEntries(windows),
    geometry: `"${geometryOf(spec.layout)}"`,
  };
}

/** "10 full 2 x 16 x 128, 52 window 1024 2 x 16 x 128": layers, name, window, what each keeps for a token. */
export function geometryOf(layout: KvLayout): string {
  if (layout.groups !== undefined) return layout.groups.map(groupWords).join(', ');
  const perToken = layerBytes(firstOf(regionGroups(layout))) / layout.pageSize;
  const named = layout.group === undefined ? 'layers' : `layers of ${layout.group}`;
  return `${layout.numLayers} ${named} of ${layout.outerDim} x ${layout.innerDim} (${perToken} B per token)`;
}

function groupWords(group: KvLayoutGroup): string {
  const { layers, name, window, kind, kvHeads, headDimK, headDimV, scaleBytes, compression } = group;
  const heads =
    headDimV === 0
      ? `${kvHeads === 1 ? '' : `${kvHeads} x `}${headDimK}`
      : headDimV === headDimK
        ? `2 x ${kvHeads} x ${headDimK}`
        : `${kvHeads} x (${headDimK} + ${headDimV})`;
  const scale = scaleBytes === undefined || scaleBytes === 0 ? '' : ` + ${scaleBytes} B`;
  const pooled = compression?.how === 'pooled' ? ` for ${compression.ratio} tokens` : '';
  const named = name === kind || kind === 'kv' ? name : `${name} (${kind})`;
  return `${layers.length} ${named}${window === null ? '' : ` ${window}`} of ${heads}${scale}${pooled}`;
}
