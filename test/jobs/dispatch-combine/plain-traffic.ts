/** What a routing moves, counted as it reads most plainly: what the fast count is compared with. */
import { usesDedup, type MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import type { Nodes } from '../../../jobs/dispatch-combine/bytes/nodes.js';
import type { Traffic } from '../../../jobs/dispatch-combine/bytes/traffic.js';
import type { Routing } from '../../../jobs/dispatch-combine/routing/routing.js';

/** `nodes`: null where nothing is forwarded. */
export function plainTrafficOf(spec: MoeSpec, routing: Routing, rank: number, nodes: Nodes | null): Traffic {
  const worldSize = routing.ranks.length;
  const numLocal = spec.numExperts / worldSize;
  const messagesTo = Array.from({ length: worldSize }, () => 0);
  const forwardsTo = Array.from({ length: worldSize }, () => 0);
  const rowsFor = Array.from({ length: worldSize }, () => 0);
  const choicesFor = Array.from({ length: worldSize }, () => 0);
  const expertRows = Array.from({ length: numLocal }, () => 0);
  let selections = 0;
  let relayed = 0;
  routing.ranks.forEach(({ numTokens, topkIdx }, source) => {
    for (let token = 0; token < numTokens; token++) {
      const chosen = topkIdx
        .subarray(token * spec.numTopk, (token + 1) * spec.numTopk)
        .filter((id) => id >= 0);
      const hosts = Array.from(chosen, (id) => Math.floor(id / numLocal));
      const targets = usesDedup(spec) ? [...new Set(hosts)] : hosts;
      if (source === rank) addAll(messagesTo, nodes === null ? targets : throughRelays(nodes, rank, targets));
      if (nodes?.isRail(source, rank) === true) {
        const here = targets.filter((target) => nodes.isNear(target, rank));
        addAll(
          forwardsTo,
          here.filter((target) => target !== rank),
        );
        addAll(rowsFor, here.length > 0 ? [source] : []);
        relayed += here.length > 0 ? 1 : 0;
      } else {
        const own = targets.filter((target) => target === rank);
        addAll(
          rowsFor,
          own.map(() => source),
        );
      }
      for (const id of chosen) {
        if (source === rank) selections += 1;
        const local = id - rank * numLocal;
        if (local < 0 || local >= numLocal) continue;
        expertRows[local] = (expertRows[local] ?? 0) + 1;
        addAll(choicesFor, [source]);
      }
    }
  });
  return { selections, messagesTo, forwardsTo, relayed, rowsFor, choicesFor, expertRows };
}

/** Counts one more at each index. */
function addAll(counts: number[], indices: readonly number[]): void {
  for (const index of indices) counts[index] = (counts[index] ?? 0) + 1;
}

const throughRelays = (nodes: Nodes, source: number, targets: readonly number[]): number[] => [
  ...new Set(targets.map((target) => nodes.relayOf(source, target))),
];
