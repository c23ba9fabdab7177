/** Replicated points on GPUs, as far as no GPU is needed: what is refused, the life of a communicator, rows that name NCCL. */
import t from 'tap';
import { communicatorOf, leaseCommunicator } from '../../../jobs/kv/replicated/communicator.js';
import { measureReplicated } from '../../../jobs/kv/replicated/measure.js';
import { openReplicated } from '../../../jobs/kv/replicated/open.js';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import { RunnerError } from '../../../runner/errors.js';
import type { PointContext } from '../../../runner/job/context.js';
import type { NativeReplicated } from '../../../runner/native/types/index.js';
import { onboardJob, specOfJob } from '../../runner/job-spec/spec-fixture.js';

const specOf = (changes: Record<string, unknown>): KvSpec =>
  specOfJob<KvSpec>(onboardJob({ mode: 'replicated', ...changes }));

interface World {
  readonly kind?: 'host' | 'cuda';
  readonly sharedBy?: readonly (readonly number[])[];
  readonly nodeOfRank?: readonly number[];
  /** What loading NCCL ends in. */
  readonly error?: Error;
  /** The step of all ranks that another rank fails. */
  readonly failing?: string;
  readonly versions?: readonly string[];
  readonly rank?: number;
}

/** A point of a world of two ranks, and what it asked for, in order. */
function pointOf(world: World): { context: PointContext; calls: string[]; end: () => Promise<void> } {
  const { kind = 'cuda', sharedBy = [], nodeOfRank = [0, 0], versions = ['2.28.3', '2.28.3'] } = world;
  const calls: string[] = [];
  const say = (...words: unknown[]): void => void calls.push(words.join(' '));
  const communicator = {
    close: async (timeoutMs: number) => say('close', timeoutMs),
    abandon: async () => say('abandon'),
  };
  let close = async (): Promise<void> => {};
  const context = {
    device: {
      properties: { kind },
      sharedBy,
      native: {
        openCommunicator: async ({ record, rank, maxCtas, timeoutMs }: Record<string, unknown>) => {
          say('open', record, rank, maxCtas, timeoutMs);
          return communicator;
        },
      },
    },
    world: {
      info: { rank: world.rank ?? 0, worldSize: 2, nodeOfRank },
      native: { broadcast: async (own: string | null) => own ?? 'record of rank 0' },
    },
    addon: {
      probeNccl: () => {
        if (world.error) throw world.error;
        return { version: versions[0], path: '/lib/libnccl.so.2' };
      },
      createNcclRecord: async () => 'own record',
    },
    resources: {
      acquire: async (key: string, make: () => Promise<{ native: unknown; close: () => Promise<void> }>) => {
        say('acquire', key);
        const made = await make();
        close = made.close;
        return made;
      },
      drop: async (key: string) => {
        say('drop', key);
        await close();
      },
    },
    log: { info: () => {} },
    ncclLibraries: () => ['libnccl.so.2'],
    noteNccl: (version: string) => say('NCCL', version),
    remainingMs: () => 5000,
    meetingMs: () => 5000,
    onAllRanks: async (step: string, body: () => unknown) => {
      const answer = await body();
      if (step === world.failing) throw new RunnerError('E_PEER_FAILED', `rank 1 failed in ${step}`);
      return answer;
    },
    wordsOfAll: async () => versions,
  } as unknown as PointContext;
  return { context, calls, end: () => close() };
}

t.test('which points need NCCL, and what does without where it cannot be used', async (t) => {
  const missing = new RunnerError('E_NCCL_MISSING', 'no NCCL here');
  const shared = { sharedBy: [[0, 1]] };
  const without: [World, string, boolean?][] = [
    [{ kind: 'host' }, 'pipelined'],
    [{}, 'independent'],
    [{}, 'ipc', false],
    [{ error: missing }, 'ipc'],
    [{ error: missing }, 'auto'],
    [shared, 'auto'],
  ];
  for (const [world, strategy, probe = true] of without) {
    const name = `${strategy} ${JSON.stringify(world)}`;
    t.equal(await communicatorOf(pointOf(world).context, specOf({ strategy, probe })), null, name);
  }
  const refused: [World, string, string, RegExp][] = [
    [{ error: missing }, 'pipelined', 'E_NCCL_MISSING', /no NCCL here/],
    [{ error: missing, nodeOfRank: [0, 1] }, 'auto', 'E_NCCL_MISSING', /no NCCL here/],
    [shared, 'rootBroadcast', 'E_UNSUPPORTED_HERE', /ranks 0-1 share one \(allowSharedDevice\)/],
    [
      { versions: ['2.28.3', '2.27.1'] },
      'auto',
      'E_NCCL',
      /received 2\.28\.3 on rank 0, 2\.27\.1 on rank 1\. Name one library by RAILRUNNER_NCCL_LIBRARY/,
    ],
  ];
  for (const [world, strategy, code, message] of refused)
    await t.rejects(communicatorOf(pointOf(world).context, specOf({ strategy })), { code, message });
  const odd = pointOf({ error: new TypeError('odd') });
  await t.rejects(communicatorOf(odd.context, specOf({ strategy: 'auto' })), { message: 'odd' });
});

t.test('a communicator is made of the record of rank 0, and closed with its peers', async (t) => {
  for (const [rank, record, maxCtas, cap] of [
    [0, 'own record', 4, 4],
    [1, 'record of rank 0', 'uncapped', 0],
  ] as const) {
    const { context, calls, end } = pointOf({ rank });
    const lease = await communicatorOf(context, specOf({ strategy: 'pipelined', maxCtas }));
    t.ok(lease);
    await end();
    t.same(calls, [
      'NCCL 2.28.3',
      `acquire nccl:${cap}`,
      `open ${record} ${rank} ${cap} 4000`,
      'close 10000',
    ]);
  }
});

t.test('after a failure it is aborted, never closed with peers that may be gone', async (t) => {
  const failed = pointOf({});
  const lease = await leaseCommunicator(failed.context, 8);
  await lease.abandon();
  t.same(failed.calls.slice(3), ['abandon', 'drop nccl:8', 'abandon']);
  const alone = pointOf({ failing: 'opening the NCCL communicator' });
  await t.rejects(leaseCommunicator(alone.context, 8), { code: 'E_PEER_FAILED' });
  t.same(alone.calls.slice(2), ['open own record 0 8 4000', 'abandon'], 'one that only this rank opened');
  const nobody = pointOf({ failing: 'making the NCCL record' });
  await t.rejects(leaseCommunicator(nobody.context, 8), { code: 'E_PEER_FAILED' });
  t.same(nobody.calls.slice(2), []);
});

t.test('auto with stopping is refused before anything is opened', async (t) => {
  const context = { ...pointOf({}).context, stopping: { minSeconds: 1 } } as unknown as PointContext;
  await t.rejects(openReplicated(specOf({ strategy: 'auto' }), context), {
    code: 'E_UNSUPPORTED_HERE',
    message: /strategy `auto` with stopping: .*name one/,
  });
});

t.test('rows of GPUs name the library, and what handed blocks on where that was not NCCL', async (t) => {
  const phaseOf = (phase: string): object => ({
    phase,
    timing: 'host',
    direction: 'host->device',
    timesUs: Float64Array.from([100]),
    entrySkewUs: new Float64Array(),
    bytes: { payload: 1000, self: 0, ipc: 0, network: 0, pcie: 1000, disk: 0 },
  });
  const facts = { strategyUsed: 'ipc', diskIo: '', networkTransport: '', overlapPct: null };
  const transfer = {
    probe: async () => ({ GBps: 1, source: 'NCCL broadcast', stopped: false }),
    measure: async () => ({ phases: ['load', 'broadcast', 'total'].map(phaseOf), stopped: false }),
    facts: async () => ({ ...facts, handedOnBy: 'copyEngine' }),
  } as unknown as NativeReplicated;
  const context = {
    samples: { iterations: 1, warmup: 0 },
    world: { info: { worldSize: 2 } },
  } as unknown as PointContext;
  const communicator = {
    version: '2.28.3',
    path: '/lib/libnccl.so.2',
    close: async () => {},
    abandon: async () => {},
  };
  const rows = await measureReplicated(context, specOf({ strategy: 'ipc' }), transfer, communicator, 7);
  const extra = { collective_library: 'NCCL 2.28.3 /lib/libnccl.so.2', handed_on_by: 'copyEngine' };
  const peak = { GBps: 1, source: 'NCCL broadcast', note: "NCCL's own; blocks went by copyEngine" };
  t.match(rows, [
    { phase: 'load', strategyUsed: 'ipc', extra, peak: undefined },
    { phase: 'broadcast', extra, peak },
    { phase: 'total', extra, peak: undefined },
  ]);
  const alone = { ...context, world: { info: { worldSize: 1 } } } as unknown as PointContext;
  const { from: _, ...broadcast } = specOf({ strategy: 'ipc' });
  const idle = await measureReplicated(alone, { ...broadcast, from: 'device' }, transfer, communicator, 7);
  t.match(
    idle[2],
    { state: 'idle', phase: 'total', strategyUsed: 'ipc', extra },
    'one rank has nothing to hand on',
  );
});
