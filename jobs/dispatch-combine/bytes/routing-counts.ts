/** Who sends how many tokens to whom, counted once from a whole routing: what all bytes and capacities rest on. */
import type { MoeSpec } from '../moe-spec.js';
import type { Routing } from '../routing/routing.js';

export interface RoutingCounts {
  /** [source] */
  readonly numTokens: readonly number[];
  /** [source][rank]: tokens with a choice there, each once. */
  readonly tokensTo: readonly Uint32Array[];
  /** [source][rank]: choices of an expert there. */
  readonly choicesTo: readonly Uint32Array[];
  /** [source][node]: tokens with a choice on that node, each once. */
  readonly tokensToNode: readonly Uint32Array[];
  /** [global expert]: choices of all ranks. */
  readonly rowsOfExpert: Uint32Array;
  /** Choices of each source that name an expert. */
  readonly selections: readonly number[];
}

/** `nodeOf`: by rank, numbered from 0. */
export function countRouting(spec: MoeSpec, routing: Routing, nodeOf: readonly number[]): RoutingCounts {
  const worldSize = routing.ranks.length;
  const numNodes = 1 + Math.max(...nodeOf);
  const rowsOfExpert = new Uint32Array(spec.numExperts);
  const world = { numLocal: spec.numExperts / worldSize, numTopk: spec.numTopk, worldSize, numNodes, nodeOf };
  const sources = routing.ranks.map(({ topkIdx }) => countSource(topkIdx, world, rowsOfExpert));
  return {
    numTokens: routing.ranks.map(({ numTokens }) => numTokens),
    tokensTo: sources.map(({ tokensTo }) => tokensTo),
    choicesTo: sources.map(({ choicesTo }) => choicesTo),
    tokensToNode: sources.map(({ tokensToNode }) => tokensToNode),
    rowsOfExpert,
    selections: sources.map(({ selections }) => selections),
  };
}

interface World {
  readonly numLocal: number;
  readonly numTopk: number;
  readonly worldSize: number;
  readonly numNodes: number;
  readonly nodeOf: readonly number[];
}

interface SourceCounts {
  readonly tokensTo: Uint32Array;
  readonly choicesTo: Uint32Array;
  readonly tokensToNode: Uint32Array;
  readonly selections: number;
}

/** `topkIdx`: [numTokens, numTopk]. Also adds the choices of each expert to `rowsOfExpert`. */
function countSource(topkIdx: Int32Array, world: World, rowsOfExpert: Uint32Array): SourceCounts {
  const tokensTo = new Uint32Array(world.worldSize);
  const choicesTo = new Uint32Array(world.worldSize);
  const tokensToNode = new Uint32Array(world.numNodes);
  // The last token counted there, and one more.
  const seenRank = new Uint32Array(world.worldSize);
  const seenNode = new Uint32Array(world.numNodes);
  let selections = 0;
  for (let at = 0, token = 1; at < topkIdx.length; token++) {
    for (const end = at + world.numTopk; at < end; at++) {
      const id = topkIdx[at] ?? -1;
      if (id < 0) continue;
      selections += 1;
      const rank = Math.floor(id / world.numLocal);
      const node = world.nodeOf[rank] ?? 0;
      addOne(rowsOfExpert, id);
      addOne(choicesTo, rank);
      if (seenRank[rank] !== token) addOne(tokensTo, rank);
      if (seenNode[node] !== token) addOne(tokensToNode, node);
      seenRank[rank] = token;
      seenNode[node] = token;
    }
  }
  return { tokensTo, choicesTo, tokensToNode, selections };
}

function addOne(counts: Uint32Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}

/** Tokens of `source` with a choice on rank `target`. */
export function tokensBetween({ tokensTo }: RoutingCounts, source: number, target: number): number {
  return tokensTo[source]?.[target] ?? 0;
}

/** Tokens of `source` with a choice on that node. */
export function tokensToNode(counts: RoutingCounts, source: number, node: number): number {
  return counts.tokensToNode[source]?.[node] ?? 0;
}
