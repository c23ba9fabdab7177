/** What a machine without GPUs, a network or NCCL skips, and why: known before anything is opened. */
import t from 'tap';
import { skippedTransport } from '../../../jobs/dispatch-combine/skips.js';
import { skippedTransfer } from '../../../jobs/kv/skips.js';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import { networkPeers } from '../../../jobs/transfer/paths.js';
import type { RunPlace } from '../../../runner/job-spec/spec-kind.js';

const host: RunPlace = {
  worldSize: 4,
  ranksPerNode: 4,
  device: 'host',
  networkMissing: 'no UCX here',
  ncclMissing: 'no NCCL here',
};
const cuda: RunPlace = { ...host, device: 'cuda' };
const twoNodes = { ranksPerNode: 2 };

t.test('kv: blocks that end on every device need a path between ranks', async (t) => {
  const skip = (more: Partial<KvSpec>, place: RunPlace): string | null =>
    skippedTransfer({ mode: 'replicated', strategy: 'auto', from: 'host', to: 'device', ...more }, place);
  t.equal(skip({}, host), null, 'shared memory');
  t.match(skip({}, { ...host, ...twoNodes }), /mode replicated between nodes needs a network: no UCX here/);
  t.equal(skip({}, { ...host, ...twoNodes, networkMissing: '' }), null);
  t.equal(skip({}, cuda), null, 'peer memory of one node needs no NCCL');
  t.match(skip({}, { ...cuda, ...twoNodes }), /mode replicated needs NCCL: no NCCL here/);
  t.match(skip({ strategy: 'pipelined' }, cuda), /needs NCCL: no NCCL here/);
  t.equal(skip({ strategy: 'pipelined' }, { ...cuda, ncclMissing: '' }), null);
  t.equal(skip({ strategy: 'independent' }, { ...cuda, ...twoNodes }), null, 'each for itself');
  const stopping = { minSeconds: 1 } as unknown as KvSpec['stopping'] & object;
  t.match(skip({ stopping }, cuda), /strategy `auto` with stopping: .*name one/);
  t.equal(skip({ stopping }, host), null);
  t.equal(skip({ strategy: 'ipc' }, cuda), null);
  t.match(skip({ strategy: 'ipc' }, { ...cuda, ...twoNodes }), /share no memory; use auto/);
});

t.test('kv: strategies of GPUs', async (t) => {
  const skip = (strategy: KvSpec['strategy'], place: RunPlace, to: KvSpec['to'] = 'host'): string | null =>
    skippedTransfer({ mode: 'sharded', strategy, from: to === 'disk' ? 'host' : 'device', to }, place);
  t.match(
    skip('staged', host),
    /strategy `staged` needs a cuda device; the host device has memcpy, kernel and auto/,
  );
  t.equal(skip('staged', cuda), null);
  t.match(
    skip('memcpyBatch', cuda, 'disk'),
    /needs a cuda device/,
    'between host and disk no GPU takes part',
  );
  t.equal(skip('memcpy', host), null);
});

t.test('dispatch and combine: peers that nothing reaches', async (t) => {
  const spec = {
    transport: 'hybrid',
    dedup: 'off',
    algorithm: 'lowLatency',
    zeroCopy: false,
    outputLayout: 'rankMajor',
  } as const;
  t.equal(skippedTransport(spec, { ...host, worldSize: 1, ranksPerNode: 1 }), null, 'nobody else');
  t.match(
    skippedTransport({ ...spec, transport: 'ipc' }, { ...host, ...twoNodes }),
    /share no memory; use hybrid/,
  );
  t.equal(skippedTransport({ ...spec, transport: 'ipc' }, host), null);
  t.match(skippedTransport(spec, { ...host, ...twoNodes }), /transport hybrid needs a network: no UCX here/);
  t.match(
    skippedTransport(spec, { ...cuda, worldSize: 65, ranksPerNode: 65 }),
    /reach 64 ranks .*this world has 65/,
  );
  const high = { ...spec, algorithm: 'highThroughput', dedup: 'node' } as const;
  t.match(skippedTransport(high, { ...cuda, worldSize: 33, ranksPerNode: 33 }), /reach 32 ranks .*has 33/);
  t.match(
    skippedTransport(high, { ...cuda, ...twoNodes }),
    /forwarded between nodes on the host device only/,
  );
});

t.test('transfer: which peers are reached over the network', async (t) => {
  const peers = (transport: 'hybrid' | 'network' | 'ipc', nodes: number[]): number[] => [
    ...networkPeers({ transport }, 0, nodes),
  ];
  t.same(peers('hybrid', [0, 0, 1]), [0, 0, 1]);
  t.same(peers('network', [0, 0, 1]), [0, 1, 1]);
  t.same(peers('ipc', [0, 0]), [0, 0]);
  t.throws(() => peers('ipc', [0, 0, 1]), {
    code: 'E_UNSUPPORTED_HERE',
    message: /rank 0 \(node 0\) and rank 2 \(node 1\) share no memory/,
  });
});
