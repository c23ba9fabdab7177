/** Who sends how many tokens to whom, of a whole routing: what high throughput exchanges before rows move. */
import type { MoeSpec } from '../moe-spec.js';
import type { Routing } from '../routing/routing.js';

export interface RoutingCounts {
  /** [source][rank]: tokens with a choice there, each once. */
  readonly tokensTo: readonly (readonly number[])[];
  /** [global expert]: choices of all ranks. */
  readonly rowsOfExpert: readonly number[];
  /** Choices of each source that name an expert. */
  readonly selections: readonly number[];
  /** [source][node]: tokens with a choice on that node, each once. */
  readonly tokensToNode: readonly (readonly number[])[];
}

const zeros = (length: number): number[] => Array.from({ length }, () => 0);

/** `nodeOf`: by rank, numbered from 0. */
export function countRouting(spec: MoeSpec, routing: Routing, nodeOf: readonly number[]): RoutingCounts {
  const worldSize = routing.ranks.length;
  const numLocal = spec.numExperts / worldSize;
  const numNodes = 1 + Math.max(...nodeOf);
  const rowsOfExpert = zeros(spec.numExperts);
  const selections: number[] = [];
  const tokensToNode: number[][] = [];
  const tokensTo = routing.ranks.map(({ topkIdx }) => {
    const toRank = zeros(worldSize);
    const toNode = zeros(numNodes);
    // The last token counted there, and one more.
    const seenRank = zeros(worldSize);
    const seenNode = zeros(numNodes);
    let choices = 0;
    topkIdx.forEach((id, at) => {
      if (id < 0) return;
      choices += 1;
      const token = Math.floor(at / spec.numTopk) + 1;
      const rank = Math.floor(id / numLocal);
      const node = nodeOf[rank] ?? 0;
      rowsOfExpert[id] = (rowsOfExpert[id] ?? 0) + 1;
      if (seenRank[rank] !== token) toRank[rank] = (toRank[rank] ?? 0) + 1;
      if (seenNode[node] !== token) toNode[node] = (toNode[node] ?? 0) + 1;
      seenRank[rank] = token;
      seenNode[node] = token;
    });
    selections.push(choices);
    tokensToNode.push(toNode);
    return toRank;
  });
  return { tokensTo, rowsOfExpert, selections, tokensToNode };
}
