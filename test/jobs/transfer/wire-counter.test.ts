/** Counters outside the program: which one a transport has, and in what unit it counts. */
import { join } from 'node:path';
import t from 'tap';
import { readNvlinkCounter, readWireCounter } from '../../../jobs/transfer/wire-counter.js';
import type { NativeAddon } from '../../../runner/native/types/index.js';

const port = (words: number) => ({ counters: { port_xmit_data: `${words}\n` } });

t.test('RDMA passes the kernel by: words of four bytes, over all ports of all devices', async (t) => {
  const tree = t.testdir({
    mlx5_0: { ports: { 1: port(10), 2: port(5) } },
    mlx5_1: { ports: { 1: port(1) } },
  });
  const counted = { source: 'port_xmit_data', sentBytes: 4 * 16 };
  for (const transport of ['rc', 'rc_mlx5', 'dc_x', 'ud_verbs'])
    t.same(readWireCounter(transport, tree), counted);
  t.equal(readWireCounter('rc', join(tree, 'nowhere')), null, 'a machine without such devices');
  t.equal(
    readWireCounter('rc', t.testdir({ mlx5_0: { ports: { 1: {} } } })),
    null,
    'a port that does not count',
  );
});

t.test('all other transports are counted by the interfaces of the kernel', async (t) => {
  t.match(readWireCounter('tcp', '/nowhere'), { source: '/proc/net/dev', sentBytes: Number });
});

t.test("NVLink: of this rank's GPU, where its driver counts", async (t) => {
  const gpus = [
    { uuid: 'GPU-1', state: { nvlinkSentBytes: 7 } },
    { uuid: 'GPU-2', state: { nvlinkSentBytes: null } },
  ];
  const driver = (report: unknown): NativeAddon =>
    ({ describeGpus: async () => report }) as unknown as NativeAddon;
  t.same(await readNvlinkCounter(driver({ gpus }), 'GPU-1'), { source: 'nvml nvlink data tx', sentBytes: 7 });
  t.equal(await readNvlinkCounter(driver({ gpus }), 'GPU-2'), null);
  t.equal(await readNvlinkCounter(driver({ gpus }), 'GPU-3'), null);
  t.equal(await readNvlinkCounter(driver(null), 'GPU-1'), null, 'no driver');
});
