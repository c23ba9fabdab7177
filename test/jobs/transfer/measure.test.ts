/** Rows that come of what the addon says it did, where no machine here does the same: a stand-in answers for it. */
import t from 'tap';
import { openTransfer } from '../../../jobs/transfer/open.js';
import { measureOperation } from '../../../jobs/transfer/measure.js';
import { makePlan, movesOf, type Operation } from '../../../jobs/transfer/moves.js';
import type { Point } from '../../../jobs/transfer/point.js';
import type { PointContext } from '../../../runner/job/context.js';
import type { NativeRankTransfer, PathBytes, Phase } from '../../../runner/native/types/index.js';
import { givenTransfer } from './given-transfer.js';

const BYTES = 3 * 3648;

interface Said {
  readonly device?: 'host' | 'cuda';
  readonly op?: Operation;
  readonly bytes?: Partial<PathBytes>;
  readonly times?: readonly number[];
  readonly stopped?: boolean;
  /** Of this rank; '': its own moves stay on its node. */
  readonly networkTransport?: string;
  /** Whether any other rank sends over the network. */
  readonly othersCross?: boolean;
  /** What the GPU's counter says each time it is read. */
  readonly nvlinkBytes?: readonly (number | null)[];
}

/** What the addon does, as far as it says so. */
function nativeOf(said: Said, payload: number): NativeRankTransfer {
  const { times = [2, 4], stopped = false, networkTransport = '' } = said;
  const bytes = { payload, self: 0, ipc: payload, network: 0, pcie: 0, disk: 0, ...said.bytes };
  return {
    facts: async () => ({
      setup: { registerUs: 1, exportUs: 2, importUs: 3, connectUs: 4, metadataBytes: 5 },
      numRegions: 1,
      numPieces: 1,
      strategies: ['write'],
      networkTransport,
      networkMemory: '',
    }),
    measure: async () => ({
      phases: ['post', 'wire', 'visible', 'total'].map((phase): Phase => {
        const timesUs = Float64Array.from(times);
        return { phase, timing: 'host', direction: '', timesUs, entrySkewUs: timesUs.map(() => 0), bytes };
      }),
      stopped,
      early: '',
    }),
    close: async () => {},
  } as unknown as NativeRankTransfer;
}

function contextOf({ device = 'host', ...said }: Said): PointContext {
  const counters = [...(said.nvlinkBytes ?? [])];
  return {
    world: { info: { rank: 1, worldSize: 2, hostSize: 2, nodeOfRank: [0, 0] } },
    device: { properties: { kind: device, uuid: 'GPU-1' } },
    addon: {
      describeGpus: async () => ({
        gpus: [{ uuid: 'GPU-1', state: { nvlinkSentBytes: counters.shift() ?? null } }],
      }),
    },
    samples: { warmup: 1, iterations: 3, freeRunning: false },
    injectedFaults: [],
    threadsPerRank: 1,
    remainingMs: () => 1000,
    onAnyRank: async (_question: string, own: boolean) => own || said.othersCross === true,
    onAllRanks: async (_step: string, body: () => unknown) => await body(),
  } as unknown as PointContext;
}

/** Rank 1 of a ring of two, each of which gives the other three blocks of 3648 bytes. */
async function measured(said: Said): ReturnType<typeof measureOperation> {
  const { op = 'write' } = said;
  const spec = givenTransfer({ blocks: 3, probe: false });
  const plan = makePlan(spec, 2);
  const payload = movesOf(plan, op, 1).reduce((sum, { bytes }) => sum + bytes, 0);
  const pools = { source: null, target: null };
  const point: Point = { context: contextOf(said), spec, plan, overNetwork: Uint8Array.of(0, 0), pools };
  return await measureOperation(point, op, nativeOf(said, payload), async () => {});
}

const wireOf = async (said: Said): Promise<object | undefined> => {
  const { rows } = await measured(said);
  const total = rows.find(({ phase }) => phase === 'total');
  const { wire_source: source, wire_bytes: bytes } = total?.extra ?? {};
  return { source, bytes };
};

t.test('bytes that are not those of the plan are wrong data', async (t) => {
  t.match(await measured({}), {
    stopped: false,
    rows: [{ bytes: {} }, { bytes: { payload: BYTES, ipc: BYTES } }],
  });
  const table: readonly [Said, RegExp][] = [
    [{ bytes: { payload: 1 } }, /^write, phase post: payload: expected 10944 by the plan, issued 1$/],
    [{ op: 'read', bytes: { ipc: 2 } }, /^read, phase post: bytes over memory: expected 10944 .* issued 2$/],
    [{ bytes: { network: 3 } }, /: bytes over the network: expected 0 by the plan, issued 3$/],
  ];
  for (const [said, message] of table) await t.rejects(measured(said), { code: 'E_WRONG_DATA', message });
});

t.test('a run that is told to stop leaves rows of what was issued until then', async (t) => {
  const { rows, stopped } = await measured({ stopped: true, times: [], bytes: { payload: 0, ipc: 0 } });
  t.equal(stopped, true);
  for (const row of rows) t.match(row, { state: 'measured', stopped: true });
});

t.test('a run that is told to stop during the first operation does not begin the second', async (t) => {
  const spec = givenTransfer({ blocks: 3, probe: false });
  const opened: string[] = [];
  const checked: string[] = [];
  const pool = {
    prepare: async () => {},
    check: async () => {
      checked.push('pool');
      return { checked: 4, wrong: 0, firstBad: '' };
    },
  };
  const ofPoint = async (said: Said): ReturnType<typeof openTransfer> => {
    const context = contextOf(said);
    const native = {
      openRankTransfer: async (_world: unknown, { op }: { op: string }) => {
        opened.push(op);
        return nativeOf(said, BYTES);
      },
    };
    const device = { ...context.device, native };
    const resources = { retain: async () => {}, acquire: async () => pool };
    return await openTransfer(spec, { ...context, device, resources } as unknown as PointContext);
  };
  const whole = await ofPoint({});
  t.equal((await whole.measure()).length, 8, 'four phases of each');
  t.same(opened.splice(0), ['write', 'read']);
  t.same(await whole.verify(), [{ checked: 4 * checked.splice(0).length, wrong: 0, firstBad: '' }]);
  const stopped = await ofPoint({ stopped: true });
  t.equal((await stopped.measure()).length, 4);
  t.same(opened, ['write']);
  t.same(await stopped.verify(), [], 'what was half moved is not judged');
  t.same(checked, []);
  await stopped.close();
});

t.test('what crossed the wire, by a counter where there is one for this rank', async (t) => {
  const issued = { source: 'issued', bytes: BYTES };
  t.same(await wireOf({}), issued);
  // Four iterations, that of the warm-up included.
  const counted = { source: 'nvml nvlink data tx', bytes: 250 };
  t.same(await wireOf({ device: 'cuda', nvlinkBytes: [7000, 8000] }), counted);
  t.same(await wireOf({ device: 'cuda', nvlinkBytes: [null, 8000] }), issued, 'no counter');
  t.same(await wireOf({ device: 'cuda', nvlinkBytes: [7000, null] }), issued, 'no counter afterwards');
  t.same(
    await wireOf({ device: 'cuda', nvlinkBytes: [7000, 8000], stopped: true }),
    issued,
    'iterations not known',
  );
  t.same(await wireOf({ othersCross: true }), issued, 'this rank keeps to its node');
  const over = { networkTransport: 'tcp', othersCross: true };
  t.match(await wireOf(over), { source: '/proc/net/dev, 2 ranks of this host', bytes: Number });
});
