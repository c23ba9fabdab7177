/** Variables of the expert-parallel library that is followed here. */
import type { EnvironmentKey } from '../../runner/job-spec/spec-kind.js';

export const moeEnvironmentKeys: readonly EnvironmentKey[] = [
  {
    name: 'MSCCLPP_EP_NUM_PROXIES',
    key: 'numProxies',
    range: [1, 32],
    meaning: 'threads that drive the network on each rank',
  },
];
