/** Tensor parallel, group by group: each splits its own heads, whatever the other groups of the model do. */
import { withBytes, type KvGroup } from './geometry.js';

export type SplitAnswer =
  { readonly groups: readonly KvGroup[] } | { readonly expected: string; readonly group: string };

/**
 * What one of `tensorParallel` ranks holds: heads / N of each group, where N has more ranks than heads one head that
 * several ranks hold alike. Latents, index keys and single heads are whole on every rank.
 */
export function splitGroups(groups: readonly KvGroup[], tensorParallel: number): SplitAnswer {
  const split: KvGroup[] = [];
  for (const group of groups) {
    const { kvHeads } = group;
    if (group.kind !== 'kv' || kvHeads === 1) {
      split.push(group);
      continue;
    }
    if (kvHeads % tensorParallel !== 0 && tensorParallel % kvHeads !== 0) {
      const named = groups.length === 1 ? "the model's" : `group ${group.name}'s`;
      return { expected: `a divisor or a multiple of ${named} ${kvHeads} KV heads`, group: group.name };
    }
    split.push(withBytes({ ...group, kvHeads: Math.max(1, kvHeads / tensorParallel) }));
  }
  return { groups: split };
}
