import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import {
  decodeRequest,
  encodeRequest,
  type BlockTransferRequest,
} from '../../../jobs/transfer/requests/message.js';
import { TransferScheduler } from '../../../jobs/transfer/requests/scheduler.js';
import {
  cutIntoBatches,
  TransferWorker,
  type WorkerOptions,
} from '../../../jobs/transfer/requests/worker.js';

const BLOCKS = Array.from({ length: 10 }, (_, id): [number, number] => [id, 9 - id]);
const OFFLOAD: BlockTransferRequest = { from_pool: 'Device', to_pool: 'Host', blocks: BLOCKS };

interface Moved {
  readonly sizes: number[];
  inFlight: number;
  mostInFlight: number;
}

function workerOf(more: Partial<WorkerOptions> = {}): {
  worker: TransferWorker;
  moved: Moved;
  scheduler: TransferScheduler;
} {
  const moved: Moved = { sizes: [], inFlight: 0, mostInFlight: 0 };
  const scheduler = new TransferScheduler();
  const mover = {
    move: async (
      _from: string,
      _to: string,
      blocks: readonly (readonly [number, number])[],
    ): Promise<void> => {
      moved.inFlight++;
      moved.mostInFlight = Math.max(moved.mostInFlight, moved.inFlight);
      await sleep(1);
      moved.sizes.push(blocks.length);
      moved.inFlight--;
    },
  };
  const worker = new TransferWorker({
    mode: 'sharded',
    capacities: { Device: 10, Host: 10 },
    maxTransferBatchSize: 4,
    maxConcurrentTransfers: 2,
    mover,
    scheduler,
    scheduleTimeoutMs: 60_000,
    ...more,
  });
  return { worker, moved, scheduler };
}

const connector = (uuid: string, request_type: 'immediate' | 'scheduled' = 'scheduled') => ({
  request_id: 'sequence-1',
  uuid,
  request_type,
});

t.test('a request survives the wire', async (t) => {
  t.same(decodeRequest(encodeRequest(3, OFFLOAD)), OFFLOAD);
  const whole = { ...OFFLOAD, connector_req: connector('op-1') };
  t.same(decodeRequest(encodeRequest(3, whole)), whole);
});

t.test('a malformed message is acknowledged with the field that is wrong', async (t) => {
  const { worker, moved } = workerOf();
  const bad: [string, string[], RegExp][] = [
    ['no frame', [], /exactly one data frame, received 0/],
    ['two frames', ['{}', '{}'], /exactly one data frame, received 2/],
    ['not JSON', ['{'], /expected JSON/],
    ['a list', ['[]'], /a JSON object/],
    [
      'unknown pool',
      ['{"from_pool":"GPU","to_pool":"Host","blocks":[]}'],
      /from_pool: expected Device, Host, Disk/,
    ],
    ['no blocks', ['{"from_pool":"Device","to_pool":"Host"}'], /blocks/],
    [
      'a pair that is none',
      ['{"from_pool":"Device","to_pool":"Host","blocks":[7]}'],
      /blocks\[0\].* received 7/,
    ],
    ['half a pair', ['{"from_pool":"Device","to_pool":"Host","blocks":[[1]]}'], /blocks\[0\]/],
    ['a negative id', ['{"from_pool":"Device","to_pool":"Host","blocks":[[0,0],[-1,2]]}'], /blocks\[1\]/],
    [
      'an id that is not an integer',
      ['{"from_pool":"Device","to_pool":"Host","blocks":[[0.5,2]]}'],
      /blocks\[0\]/,
    ],
    ['another key', ['{"from_pool":"Device","to_pool":"Host","blocks":[],"more":1}'], /more/],
    [
      'an operation that is no object',
      ['{"from_pool":"Device","to_pool":"Host","blocks":[],"connector_req":"op"}'],
      /connector_req: expected a JSON object, received "op"/,
    ],
    [
      'an operation without a name',
      [JSON.stringify({ ...OFFLOAD, connector_req: connector('') })],
      /connector_req\.uuid: expected a string of 1 to \d+ characters, received ""/,
    ],
    [
      'no operation id',
      ['{"from_pool":"Device","to_pool":"Host","blocks":[],"connector_req":{"request_id":"a"}}'],
      /request_type|uuid/,
    ],
  ];
  for (const [name, frames, message] of bad) {
    const ack = await worker.handle({ id: 7, frames });
    t.match(ack, { id: 7, outcome: 'failed', error: message }, name);
  }
  t.same(moved.sizes, [], 'nothing was moved');
});

t.test('pools and ids are checked before anything moves', async (t) => {
  const { worker, moved } = workerOf();
  const bad: [Partial<BlockTransferRequest>, RegExp][] = [
    [{ to_pool: 'Device' }, /received Device to Device/],
    [{ from_pool: 'Disk', to_pool: 'Host' }, /received Disk to Host/],
    [{ to_pool: 'Disk' }, /target pool Disk: expected a pool of this worker \(Device, Host\)/],
    [{ from_pool: 'Disk', to_pool: 'Device' }, /source pool Disk/],
    [{ blocks: [[10, 0]] }, /below 10, the blocks of pool Device, received 10/],
    [{ blocks: [[0, 4_000]] }, /pool Host, received 4000/],
    [
      {
        blocks: [
          [0, 3],
          [1, 3],
        ],
      },
      /block 3 of pool Host twice/,
    ],
  ];
  for (const [more, message] of bad) {
    t.match(await worker.handle(encodeRequest(1, { ...OFFLOAD, ...more })), {
      outcome: 'failed',
      error: message,
    });
  }
  t.same(moved.sizes, []);
  const without = workerOf({ capacities: {} });
  t.match(await without.worker.handle(encodeRequest(1, OFFLOAD)), {
    error: /source pool Device: expected a pool of this worker \(none\)/,
  });
});

t.test('batches above the limit, bounded in flight, never in replicated mode', async (t) => {
  t.same(
    cutIntoBatches(BLOCKS, 4).map(({ length }) => length),
    [4, 4, 2],
  );
  t.same(
    cutIntoBatches(BLOCKS, 10).map(({ length }) => length),
    [10],
    'the limit itself is one batch',
  );
  t.same(
    cutIntoBatches([], 4).map(({ length }) => length),
    [0],
  );
  const sharded = workerOf();
  t.match(await sharded.worker.handle(encodeRequest(1, OFFLOAD)), { outcome: 'executed', error: '' });
  t.same(
    sharded.moved.sizes.toSorted((a, b) => a - b),
    [2, 4, 4],
  );
  t.equal(sharded.moved.mostInFlight, 2);
  const replicated = workerOf({ mode: 'replicated' });
  await replicated.worker.handle(encodeRequest(1, OFFLOAD));
  t.same(replicated.moved.sizes, [10]);
});

t.test('a failing batch: the others end before it is told, and no further one starts', async (t) => {
  const ended: number[] = [];
  let started = 0;
  const mover = {
    move: async (): Promise<void> => {
      const own = started++;
      if (own === 0) throw Object.assign(new Error('disk is full'), { code: 'E_IO' });
      await sleep(20);
      ended.push(own);
    },
  };
  const { worker, scheduler } = workerOf({ mover });
  const request = { ...OFFLOAD, connector_req: connector('op', 'immediate') };
  t.match(await worker.handle(encodeRequest(1, request)), { outcome: 'failed', error: /disk is full/ });
  t.same(ended, [1], 'the batch in flight has ended, the third was never begun');
  t.match(scheduler.takeResult('op'), { error: /disk is full/ }, 'failed operations are complete too');
});

t.test('scheduled operations run when both sides have come, in either order', async (t) => {
  const { worker, moved, scheduler } = workerOf();
  const request = (uuid: string) => encodeRequest(1, { ...OFFLOAD, connector_req: connector(uuid) });
  const first = worker.handle(request('leader-first'));
  await sleep(5);
  t.same(moved.sizes, [], 'waits for the worker');
  t.same(scheduler.pending(), ['leader-first']);
  t.equal(scheduler.takeResult('leader-first'), null);
  scheduler.enqueue('leader-first');
  t.match(await first, { outcome: 'executed' });
  t.same(scheduler.takeResult('leader-first'), { error: null });
  scheduler.enqueue('worker-first');
  t.match(await worker.handle(request('worker-first')), { outcome: 'executed' });
  t.match(await worker.handle(request('worker-first')), { outcome: 'failed', error: /received a second/ });
});

t.test('a cancelled operation moves nothing, is complete and acknowledged', async (t) => {
  const { worker, moved, scheduler } = workerOf();
  const request = (uuid: string) => encodeRequest(1, { ...OFFLOAD, connector_req: connector(uuid) });
  t.ok(scheduler.cancel('before'));
  t.match(await worker.handle(request('before')), { outcome: 'cancelled', error: '' });
  const waiting = worker.handle(request('while'));
  await sleep(5);
  t.ok(scheduler.cancel('while'));
  t.match(await waiting, { outcome: 'cancelled' });
  t.same(moved.sizes, []);
  t.same(scheduler.takeResult('while'), { error: null });
  scheduler.enqueue('after');
  await worker.handle(request('after'));
  t.notOk(scheduler.cancel('after'), 'too late');
});

t.test('a worker that never reaches an operation: acknowledged in bounded time', async (t) => {
  const { worker, moved, scheduler } = workerOf({ scheduleTimeoutMs: 20 });
  const request = encodeRequest(1, { ...OFFLOAD, connector_req: connector('lost') });
  t.match(await worker.handle(request), { outcome: 'failed', error: /operation lost: .* within 0.02 s/ });
  scheduler.enqueue('lost');
  t.same(moved.sizes, []);
  t.match(scheduler.takeResult('lost'), { error: /did not come/ });
});
