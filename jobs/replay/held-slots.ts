/** What every slot of a tier must hold after the windows so far: the last content that went into it. */
import type { TierContent, Tier } from '../../runner/native/types/index.js';
import { recordOf } from '../../runner/values/objects.js';
import { TIERS } from './tiers.js';
import { movesOf } from './window-builder.js';
import { MOVE_LISTS, type ReplayWindow } from './window.js';

/** The tier that a list of moves writes; none: it writes nothing. */
const TARGETS: Readonly<Record<(typeof MOVE_LISTS)[number], Tier | null>> = {
  hits: null,
  'host->disk': 'disk',
  'device->host': 'host',
  'device->disk': 'disk',
  'host->device': 'device',
  'disk->device': 'device',
  fills: 'device',
};

export class HeldSlots {
  /** By tier: slot -> the two words of its content. */
  readonly #held = recordOf(TIERS, () => new Map<number, readonly [number, number]>());

  add(window: ReplayWindow): void {
    for (const { list, begin, end } of movesOf(window)) {
      const tier = TARGETS[list];
      if (tier === null) continue;
      const held = this.#held[tier];
      for (let at = begin; at < end; at++) {
        const words = [window.content[2 * at] ?? 0, window.content[2 * at + 1] ?? 0] as const;
        held.set(window.target[at] ?? 0, words);
      }
    }
  }

  contentOf(tier: Tier): TierContent {
    const held = [...this.#held[tier]];
    return {
      tier,
      slots: Int32Array.from(held, ([slot]) => slot),
      content: Uint32Array.from(held.flatMap(([, words]) => words)),
    };
  }
}
