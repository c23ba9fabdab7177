/** What the oracle computes from: the spec, the routing and the place of this rank. */
import type { MoeSpec } from '../moe-spec.js';
import type { Nodes } from '../bytes/nodes.js';
import type { Routing } from '../routing/routing.js';

export interface Expectation {
  readonly spec: MoeSpec;
  readonly routing: Routing;
  readonly rank: number;
  /** Between which tokens are forwarded; null where none are. */
  readonly nodes: Nodes | null;
}
