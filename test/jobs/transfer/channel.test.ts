/** Rank 0's end of a round, with an answer of rank 1 that no rank of this build gives. */
import t from 'tap';
import { RequestLeader } from '../../../jobs/transfer/requests/channel.js';
import type { BlockTransferRequest } from '../../../jobs/transfer/requests/message.js';
import type { TransferWorker } from '../../../jobs/transfer/requests/worker.js';

const OFFLOAD: BlockTransferRequest = { from_pool: 'Device', to_pool: 'Host', blocks: [[0, 1]] };

t.test('acknowledgements of anything but the requests of the round are refused', async (t) => {
  const ack = { id: 0, outcome: 'executed', error: '' };
  const worker = { handle: async () => ack } as unknown as TransferWorker;
  const bad: [readonly BlockTransferRequest[], unknown, RegExp][] = [
    [[OFFLOAD], [], /^rank 1: expected acknowledgements of requests 0, received none$/],
    [[OFFLOAD], [ack, ack], /of requests 0, received 0, 0$/],
    [[OFFLOAD], 'no', /of requests 0, received string$/],
    [[], [ack], /of requests none, received 0$/],
  ];
  for (const [requests, answer, message] of bad) {
    const plane = {
      broadcast: async (data: Uint8Array | null) => Buffer.from(data ?? []),
      gather: async (own: Uint8Array) => [Buffer.from(own), Buffer.from(JSON.stringify(answer))],
    } as unknown as ConstructorParameters<typeof RequestLeader>[0];
    const sent = new RequestLeader(plane, worker).send(requests, 1000);
    await t.rejects(sent, { code: 'E_WORLD_LOST', message });
  }
});
