/** A GPU rank that freezes inside an exchange, by NVLink or over the network: kernels that wait for it end, and it is named. */
import t from 'tap';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import { namesLast, strikeLast } from '../helpers/strike-rank.js';

t.setTimeout(600_000);

const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };

for (const [path, ranksPerNode] of [
  ['peer memory', 2],
  ['the network', 1],
] as const) {
  t.test(`a rank frozen inside an exchange by ${path}`, onTwoGpus, async (t) => {
    const strike = { mpi: 'openmpi', signal: 'SIGSTOP', device: 'cuda', ranks: 2, ranksPerNode } as const;
    namesLast(t, await strikeLast(t, strike));
  });
}
