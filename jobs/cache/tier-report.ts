/** What `railrunner simulate --tier-blocks` prints of device, host and disk together. */
import type { SimulationQuestion } from '../../runner/job/simulation.js';
import { textTable } from '../../runner/text/table.js';
import { TIER_NAMES, type CacheCounts } from './tiered-cache.js';

export interface TierRow {
  readonly tier: string;
  readonly blocks: number;
  /** Blocks found here from the head without a gap, and of all blocks of the requests. */
  readonly hits: number;
  readonly hitPct: number;
  /** Blocks copied from here to the device, into here from above, and given up here. */
  readonly loads: number;
  readonly offloads: number;
  readonly evictions: number;
  /** null: nobody said how large a block is. */
  readonly loadBytes: number | null;
  readonly offloadBytes: number | null;
}

export function tierRows(
  counts: CacheCounts | null,
  { tierBlocks, blockBytes }: Pick<SimulationQuestion, 'tierBlocks' | 'blockBytes'>,
): TierRow[] {
  if (counts === null) return [];
  const bytes = (blocks: number): number | null => (blockBytes === null ? null : blocks * blockBytes);
  return tierBlocks.map((blocks, at) => {
    const [hits = 0, loads = 0, offloads = 0, evictions = 0] = [
      counts.hits[at],
      counts.loads[at],
      counts.offloads[at],
      counts.evictions[at],
    ];
    return {
      tier: TIER_NAMES[at] ?? '',
      blocks,
      hits,
      hitPct: counts.blocks === 0 ? 0 : (100 * hits) / counts.blocks,
      loads,
      offloads,
      evictions,
      loadBytes: bytes(loads),
      offloadBytes: bytes(offloads),
    };
  });
}

/** Blocks that no tier kept. */
export function tierNotes(counts: CacheCounts | null): string[] {
  if (counts === null) return [];
  const told = (count: number, text: (blocks: string) => string): string[] =>
    count === 0 ? [] : [text(`${count.toLocaleString('en-US')} blocks`)];
  return [
    ...told(counts.unkept, (blocks) => `${blocks} of requests larger than the device were not kept`),
    ...told(
      counts.notOffloaded,
      (blocks) =>
        `${blocks} were not offloaded: every block of the tier below was in use, or --min-uses was not reached`,
    ),
  ];
}

export function tierLines(rows: readonly TierRow[], notes: readonly string[]): string[] {
  if (rows.length === 0) return [];
  const counted = ['blocks', 'hits', '% of blocks', 'loads', 'offloads', 'evictions'];
  const withBytes = rows.some(({ loadBytes }) => loadBytes !== null);
  const rightAligned = withBytes ? [...counted, 'GB loaded', 'GB offloaded'] : counted;
  const lines = rows.map((row) => {
    const told = (...counts: number[]): string[] => counts.map((count) => count.toLocaleString('en-US'));
    const sizes = [row.loadBytes, row.offloadBytes].map((bytes) => ((bytes ?? 0) / 1e9).toFixed(1));
    return [
      row.tier,
      ...told(row.blocks, row.hits),
      row.hitPct.toFixed(2),
      ...told(row.loads, row.offloads, row.evictions),
      ...(withBytes ? sizes : []),
    ];
  });
  return [
    textTable(['tier', ...rightAligned], lines, { rightAligned }),
    'Loads go from this tier to the device, offloads come from the tier above; blocks that are already there are not copied.',
    ...notes,
  ];
}
