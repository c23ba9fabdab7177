/** Ranks by node, where a token crosses once per node and is forwarded there (docs/moe.md, "Forwarding inside nodes"). */
import type { PlanPlace } from '../../../runner/job-spec/spec-kind.js';
import { itemAt } from '../../../runner/values/items.js';
import { isHighThroughput, usesDedup, type MoeSpec } from '../moe-spec.js';

/** Nodes of equal size. A rank's place is its number among the ranks of its node, ascending. */
export class Nodes {
  readonly #nodeOfRank: readonly number[];
  readonly #members = new Map<number, number[]>();
  readonly #places: number[] = [];

  constructor(nodeOfRank: readonly number[]) {
    this.#nodeOfRank = nodeOfRank;
    for (const [rank, node] of nodeOfRank.entries()) {
      const members = this.#members.get(node) ?? [];
      this.#places.push(members.length);
      this.#members.set(node, [...members, rank]);
    }
  }

  /** Nodes are numbered from 0. */
  nodeOf(rank: number): number {
    return itemAt(this.#nodeOfRank, rank);
  }

  isNear(a: number, b: number): boolean {
    return this.#nodeOfRank[a] === this.#nodeOfRank[b];
  }

  /** Ranks of different nodes that talk to each other. */
  isRail(a: number, b: number): boolean {
    return !this.isNear(a, b) && this.#places[a] === this.#places[b];
  }

  /** The rank that `source` hands a token for `target` to: the target if near, else the relay on its node. */
  relayOf(source: number, target: number): number {
    if (this.isNear(source, target)) return target;
    return this.#members.get(this.#nodeOfRank[target] ?? -1)?.[this.#places[source] ?? -1] ?? -1;
  }

  /** The same of every node. */
  get ranksPerNode(): number {
    return this.#places.length / this.#members.size;
  }

  /** Rails of every rank: one on each other node. */
  get numRails(): number {
    return this.#members.size - 1;
  }
}

/** Why tokens cannot be forwarded in such a world; null where they can. */
export function unequalNodes(nodeOfRank: readonly number[]): string | null {
  const sizes = [...new Set(nodeOfRank)].map((node) => nodeOfRank.filter((other) => other === node).length);
  if (new Set(sizes).size <= 1) return null;
  return `dedup node: expected as many ranks on each node, received nodes of ${sizes.join(', ')} ranks; use dedup on`;
}

/** The nodes between which tokens are forwarded; null where nothing is: another dedup, one node, one rank per node. */
export function forwardingNodes(
  spec: Pick<MoeSpec, 'dedup' | 'algorithm' | 'transport'>,
  nodeOfRank: readonly number[],
  device: 'host' | 'cuda',
): Nodes | null {
  // High throughput forwards wherever it can: rows outweigh the hop. Its kernels cannot.
  const isAuto =
    isHighThroughput(spec) && device === 'host' && spec.dedup === 'auto' && spec.transport === 'hybrid';
  if ((spec.dedup !== 'node' && !isAuto) || unequalNodes(nodeOfRank) !== null) return null;
  const numNodes = new Set(nodeOfRank).size;
  return numNodes === 1 || numNodes === nodeOfRank.length ? null : new Nodes(nodeOfRank);
}

/** Ranks in blocks, as `plan` and emulated nodes have them. */
export function nodesInBlocks(worldSize: number, ranksPerNode: number): number[] {
  return Array.from({ length: worldSize }, (_, rank) => Math.floor(rank / ranksPerNode));
}

/** Ranks that the rank which reaches most of them over the network reaches so: one of the last node, the smallest. */
export function mostNetworkPeers(
  { transport }: Pick<MoeSpec, 'transport'>,
  { worldSize, ranksPerNode }: Pick<PlanPlace, 'worldSize' | 'ranksPerNode'>,
): number {
  if (transport === 'ipc') return 0;
  if (transport === 'network') return worldSize - 1;
  return worldSize - (worldSize % ranksPerNode || ranksPerNode);
}

/** What `dedup` resolves to, as rows and plans say it. `nodes`: null where nothing is forwarded. */
export function dedupUsed(spec: MoeSpec, nodes: Nodes | null): 'node' | 'on' | 'off' {
  if (nodes !== null) return 'node';
  return usesDedup(spec) ? 'on' : 'off';
}
