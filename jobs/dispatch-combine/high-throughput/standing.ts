/** How a rank takes part in an exchange of high throughput. */
import type { Nodes } from '../bytes/nodes.js';
import type { PeerPath } from '../bytes/traffic.js';

export type Strategy = 'sparse' | 'allGather';

/** Where a rank stands: how it reaches the others, and between which nodes tokens are forwarded (null: none). */
export interface Standing {
  readonly rank: number;
  readonly isCuda: boolean;
  readonly paths: readonly PeerPath[];
  readonly nodes: Nodes | null;
  readonly numTokens: readonly number[];
}
