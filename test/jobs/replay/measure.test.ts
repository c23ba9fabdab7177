/** What rank 0 makes of what native code says it did in each window; a stand-in answers for it. */
import t, { type Test } from 'tap';
import { countRequests } from '../../../jobs/replay/decisions.js';
import { HeldSlots } from '../../../jobs/replay/held-slots.js';
import { measureReplay } from '../../../jobs/replay/measure.js';
import type { Opened } from '../../../jobs/replay/opened.js';
import { slotBytes } from '../../../jobs/replay/plan.js';
import { Served } from '../../../jobs/replay/served.js';
import type { ReplaySpec } from '../../../jobs/replay/spec.generated.js';
import { movesOf } from '../../../jobs/replay/window-builder.js';
import { MOVE_LISTS, type MoveList } from '../../../jobs/replay/window.js';
import type { Measurement } from '../../../runner/job/measurement.js';
import type { MoveWindow, WindowResult } from '../../../runner/native/types/index.js';
import { SMALL_TRACE } from '../../helpers/run-replay.js';
import { specOfJob } from '../../runner/job-spec/spec-fixture.js';

/** What native code answers otherwise than that all went well, window by window. */
type Otherwise = (window: MoveWindow, well: WindowResult, at: number) => Partial<WindowResult>;

const specOf = (change: object): ReplaySpec =>
  specOfJob<ReplaySpec>({
    id: 'r',
    kind: 'replay',
    trace: { path: SMALL_TRACE, requests: 60 },
    layout: { numLayers: 1, outerDim: 1, innerDim: 8 },
    pools: { deviceBlocks: 60, hostBlocks: 400 },
    windows: 3,
    ...change,
  });

/** All that the window asks for, done. */
function wellDone(spec: ReplaySpec, window: MoveWindow): WindowResult {
  const slots = new Map<MoveList, number>(MOVE_LISTS.map((list) => [list, 0]));
  for (const { list, begin, end } of movesOf(window)) slots.set(list, (slots.get(list) ?? 0) + end - begin);
  const times = window.dueUs.map((_, at) => window.firstRequest + at);
  const directions = (['host->device', 'device->host'] as const).map((direction) => {
    const payload = (slots.get(direction) ?? 0) * slotBytes(spec);
    const bytes = { payload, self: payload, ipc: 0, network: 0, pcie: 0, disk: 0 };
    return { direction, slots: slots.get(direction) ?? 0, busyUs: 1, bytes };
  });
  return {
    dueUs: times,
    beginUs: times,
    loadedUs: times,
    endUs: times,
    stallUs: times.map(() => 0),
    directions,
    hits: slots.get('hits') ?? 0,
    fills: slots.get('fills') ?? 0,
    failedLoads: 0,
    failedSlots: [],
    firstFailure: '',
    check: { checked: 1, wrong: 0, firstBad: '' },
    firstBadRequest: -1,
    firstBadSlot: -1,
    fillUs: 0,
    checkUs: 0,
    setUpUs: 0,
    stopped: false,
  };
}

interface Measured {
  readonly rows: readonly Measurement[];
  readonly served: Served;
  /** Of each window: blocks that the cache found in the host. */
  readonly loads: readonly number[];
  readonly warned: readonly object[];
  /** Asked of all ranks where a copy failed. */
  readonly words: readonly string[];
}

interface Asked {
  readonly otherwise?: Otherwise;
  /** Slots whose copies failed on rank 1, in each window. */
  readonly fromPeer?: readonly object[];
  /** Of the job. */
  readonly change?: object;
}

async function measure({
  otherwise = () => ({}),
  fromPeer = [],
  change = {},
}: Asked = {}): Promise<Measured> {
  const spec = specOf(change);
  const [loads, warned, words]: [number[], object[], string[]] = [[], [], []];
  let at = 0;
  const served = new Served();
  const opened = {
    context: {
      world: { info: { rank: 0, worldSize: 2 }, native: { broadcast: async (bytes: Buffer) => bytes } },
      injectedFaults: [],
      log: { warn: (facts: object) => warned.push(facts) },
      meetingMs: () => 1000,
      progress: () => {},
      onAllRanks: async (_step: string, body: () => unknown) => await body(),
      onAnyRank: async (_question: string, own: boolean) => own || fromPeer.length > 0,
      wordsOfAll: async (_question: string, own: string) => {
        words.push(own);
        return [own, JSON.stringify(fromPeer)];
      },
    },
    replay: {
      run: async (window: MoveWindow): Promise<WindowResult> => {
        const well = wellDone(spec, window);
        loads.push(well.directions[0]?.slots ?? 0);
        return { ...well, ...otherwise(window, well, at++) };
      },
      facts: async () => ({ strategyUsed: 'memcpy', diskIo: '', networkTransport: 'tcp' }),
    },
    spec,
    tracePath: SMALL_TRACE,
    totals: await countRequests(spec, SMALL_TRACE),
    peaks: new Map(),
    pools: new Map(),
    held: new HeldSlots(),
    served,
    setupUs: 0,
  } as unknown as Opened;
  return { rows: await measureReplay(opened), served, loads, warned, words };
}

/** Of the first requests alone. */
function first(requests: number, { dueUs, beginUs, loadedUs, endUs, stallUs }: WindowResult) {
  const cut = (times: Float64Array): Float64Array => times.slice(0, requests);
  return {
    dueUs: cut(dueUs),
    beginUs: cut(beginUs),
    loadedUs: cut(loadedUs),
    endUs: cut(endUs),
    stallUs: cut(stallUs),
  };
}

const replayRow = ({ rows }: Measured): Measurement | undefined => rows[0];

t.test('a trace that asks for nothing twice has no hits, and its row says so', async (t) => {
  const once = await measure({ change: { trace: { path: SMALL_TRACE, requests: 1 } } });
  t.match(replayRow(once), { extra: { hit_rates: /^no hits; missed 100\.00 % of \d+ prefix blocks$/ } });
});

t.test('what was done is what was decided, to the block and byte', async (t) => {
  const well = await measure();
  t.match(replayRow(well), { phase: 'replay', networkTransport: 'tcp', extra: { requests: 60 } });
  t.same([well.warned, well.words], [[], []]);
  const refuses = async (t: Test, otherwise: Otherwise, message: RegExp): Promise<void> => {
    await t.rejects(measure({ otherwise }), { code: 'E_WRONG_DATA', message });
  };
  await refuses(
    t,
    (_window, { hits }, at) => (at === 1 ? { hits: hits - 1 } : {}),
    /^replay: hits and fills: expected \d+, as decided, received \d+$/,
  );
  const oneMore: Otherwise = (_window, { directions }, at) =>
    at > 0 ? {} : { directions: directions.map((each) => ({ ...each, slots: each.slots + 1 })) };
  await refuses(t, oneMore, /^replay: blocks copied host->device: expected \d+, as decided, received \d+$/);
  const halfBlocks: Otherwise = (_window, { directions }) => ({
    directions: directions.map((each) => ({
      ...each,
      bytes: { ...each.bytes, payload: each.bytes.payload / 2 },
    })),
  });
  await refuses(t, halfBlocks, /^replay: bytes copied host->device: expected \d+, as decided, received \d+$/);
});

t.test('a block whose copy failed on any rank is no longer in its tier', async (t) => {
  const well = await measure();
  const hostSlots = Array.from({ length: 400 }, (_, slot) => ({ tier: 'host' as const, slot }));
  const failing: Otherwise = (_window, _well, at) =>
    at === 0 ? { failedSlots: hostSlots, firstFailure: 'disk full' } : {};
  const failed = await measure({ otherwise: failing });
  t.equal(failed.loads[0], well.loads[0]);
  t.ok(Number(failed.loads[1]) < Number(well.loads[1]), `${failed.loads[1]} loads, not ${well.loads[1]}`);
  t.same(failed.warned, [{ failedBlocks: 400, firstFailure: 'disk full' }]);
  t.match(replayRow(failed), { extra: { failed_blocks: 400 } }, 'and the counts need not be those decided');
  t.equal(failed.words.length, 1, 'asked once: of the window in which copies failed');
  const elsewhere = await measure({ fromPeer: hostSlots });
  t.ok(Number(elsewhere.loads[1]) < Number(well.loads[1]), 'a failure of another rank counts too');
  t.same(elsewhere.warned, [], 'which warns of it itself');
});

t.test('a stop flag ends a replay behind a request, with what was served until then', async (t) => {
  const stopping: Otherwise = (_window, well, at) =>
    at === 0 ? {} : { ...first(7, well), hits: 1, stopped: true };
  const stopped = await measure({ otherwise: stopping });
  t.equal(stopped.loads.length, 2, 'no window follows');
  t.match(replayRow(stopped), { stopped: true, extra: { requests: 27 } });
  const atOnce: Otherwise = (_window, well) => ({ ...first(0, well), stopped: true });
  for (const change of [{}, { warmupRequests: 10 }]) {
    const { rows } = await measure({ otherwise: atOnce, change });
    t.match(rows[0], { samplesUs: new Float64Array(), extra: { requests: 0, queue_depth_max: 0 } });
  }
});

t.test('a wrong word in a slot that the window did not ask for is named by its slot alone', async (t) => {
  const check = { checked: 1, wrong: 1, firstBad: 'word 3: expected 0x1, found 0x2' };
  const wrong = await measure({
    otherwise: () => ({ check, firstBadRequest: 5, firstBadSlot: 1000 }),
  });
  t.match(wrong.served.check, { wrong: 3, firstBad: `request 5, device slot 1000: ${check.firstBad}` });
});
