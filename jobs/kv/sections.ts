/** The parts of a pool that have block ids of their own. */
import type { Tier } from '../../runner/native/types/index.js';
import type { KvSpec } from './spec.generated.js';
import {
  poolSizes,
  regionGroups,
  storedLayout,
  type BlockGroup,
  type PoolSection,
  type PoolSizes,
} from './layout.js';
import { firstOf, present } from '../../runner/values/items.js';
import { layoutOf, poolBlocks, traceOf } from './spec.js';

export interface TierSection extends PoolSection {
  readonly groups: readonly BlockGroup[];
  /** Id of its first block: ids of sections follow each other. */
  readonly firstBlock: number;
  /** Blocks of a request that it keeps; null: all. */
  readonly windowBlocks: number | null;
}

/** Blocks that a window of so many tokens needs: it seldom begins where a block does. */
export function windowBlocks(windowTokens: number, pageSize: number): number {
  return Math.ceil(windowTokens / pageSize) + 1;
}

/**
 * One section, unless requests of a trace outgrow windows. Then a group with a window has blocks of its own, for
 * ceil(window / page) + 1 of each request; the groups that keep everything share the first section. Where no group
 * keeps everything, the first section is that of the longest window.
 */
export function sectionsOf(spec: KvSpec, tier: Tier): readonly TierSection[] {
  const layout = layoutOf(spec, tier);
  const groups = regionGroups(layout);
  const capacity = poolBlocks(spec, tier);
  const windowed = groups.flatMap((group) => {
    const { window } = group;
    return window === null ? [] : [{ of: [group], window, kept: windowBlocks(window, layout.pageSize) }];
  });
  if (spec.order !== 'trace' || windowed.length === 0) {
    return [{ groups, numBlocks: capacity, firstBlock: 0, windowBlocks: null }];
  }
  windowed.sort((a, b) => b.window - a.window);
  const whole = groups.filter(({ window }) => window === null);
  const { requests } = traceOf(spec);
  let firstBlock = 0;
  return [...(whole.length > 0 ? [{ of: whole, kept: null }] : []), ...windowed].map(
    ({ of, kept }, index) => {
      const numBlocks = kept === null || index === 0 ? capacity : Math.min(capacity, kept * requests);
      const section = { groups: of, numBlocks, firstBlock, windowBlocks: kept };
      firstBlock += numBlocks;
      return section;
    },
  );
}

/** Name of the group that a section behind the first is for, and how many of its blocks move, both directions together. */
export function movedOfWindow(spec: KvSpec, section: TierSection): { name: string; blocks: number } {
  const { name } = firstOf(section.groups);
  return { name, blocks: present(traceOf(spec).groupBlocks?.[name], `groupBlocks of ${name}`) };
}

/** Blocks of all sections of that tier's pool. */
export function allBlocks(spec: KvSpec, tier: Tier): number {
  return sectionsOf(spec, tier).reduce((sum, { numBlocks }) => sum + numBlocks, 0);
}

/** Sizes of the pool of that tier, as it is stored there. */
export function tierSizes(spec: KvSpec, tier: Tier): PoolSizes {
  return poolSizes(storedLayout(layoutOf(spec, tier), tier), sectionsOf(spec, tier));
}
