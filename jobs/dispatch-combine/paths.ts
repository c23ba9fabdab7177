/** How a rank reaches the others, and that what it issued over each path is what the routing says. */
import { RunnerError } from '../../runner/errors.js';
import type { PathBytes } from '../../runner/native/types/index.js';
import { unequalNodes } from './bytes/nodes.js';
import type { IssuedBytes, PeerPath } from './bytes/traffic.js';
import type { MoeSpec } from './moe-spec.js';

/** How this rank reaches each other one. Throws where `ipc` is asked for across nodes, or nodes cannot forward. */
export function peerPaths(spec: MoeSpec, rank: number, nodeOfRank: readonly number[]): PeerPath[] {
  const unequal = spec.dedup === 'node' ? unequalNodes(nodeOfRank) : null;
  if (unequal !== null) throw new RunnerError('E_UNSUPPORTED_HERE', unequal);
  return nodeOfRank.map((node, peer) => {
    if (peer === rank) return 'self';
    if (spec.transport === 'network') return 'network';
    if (node === nodeOfRank[rank]) return 'ipc';
    if (spec.transport === 'hybrid') return 'network';
    throw new RunnerError(
      'E_UNSUPPORTED_HERE',
      `transport ipc: rank ${rank} (node ${nodeOfRank[rank] ?? -1}) and rank ${peer} (node ${node}) share no memory. Use hybrid, or ranks of one node.`,
    );
  });
}

/** Bytes are counted where they are issued; they must be those of the plan. */
export function requirePlanned(issued: PathBytes, planned: IssuedBytes, phase: string): void {
  for (const path of ['self', 'ipc', 'network'] as const) {
    if (issued[path] === planned[path]) continue;
    throw new RunnerError(
      'E_WRONG_DATA',
      `${phase}: bytes over ${path}: expected ${planned[path]} by the routing, issued ${issued[path]}`,
    );
  }
}
