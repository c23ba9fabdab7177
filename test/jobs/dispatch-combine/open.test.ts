/**
 * What opening a point decides and says on a device that this machine need not have: the strategy by its trials, bytes and
 * memory. The addon is a stand-in that answers with times and facts made up here.
 */
import t from 'tap';
import { issuedBytesCuda, symmetricBytesCuda } from '../../../jobs/dispatch-combine/bytes/cuda.js';
import { forwardedBytesCuda } from '../../../jobs/dispatch-combine/bytes/cuda-forwarded.js';
import { forwardingNodes, Nodes } from '../../../jobs/dispatch-combine/bytes/nodes.js';
import { countRouting } from '../../../jobs/dispatch-combine/bytes/routing-counts.js';
import { capacities } from '../../../jobs/dispatch-combine/high-throughput/capacity.js';
import { symmetricBytesHighCuda } from '../../../jobs/dispatch-combine/high-throughput/cuda.js';
import { openHighThroughput } from '../../../jobs/dispatch-combine/high-throughput/open.js';
import { openLowLatency } from '../../../jobs/dispatch-combine/low-latency.js';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import type { PointParts } from '../../../jobs/dispatch-combine/open-native.js';
import { peerPaths } from '../../../jobs/dispatch-combine/paths.js';
import { makeRouting } from '../../../jobs/dispatch-combine/routing/routing.js';
import type { NativeMoeFacts, NativeMoeOptions, Phase } from '../../../runner/native/types/index.js';
import { moeSpec } from './moe-points.js';

interface Opened {
  readonly options: NativeMoeOptions;
  /** Of each close, whether all ranks were to close together. */
  readonly closed: boolean[];
}

interface StandIn {
  readonly device?: 'host' | 'cuda';
  readonly nodeOfRank?: readonly number[];
  /** By strategy: microseconds of each trial call, of dispatch and of combine alike. */
  readonly trialUs?: Readonly<Record<string, readonly number[]>>;
  readonly stopped?: boolean;
}

function phaseOf(phase: string, timing: Phase['timing'], us: readonly number[]): Phase {
  const bytes = { payload: 0, self: 0, ipc: 0, network: 0, pcie: 0, disk: 0 };
  const timesUs = Float64Array.from(us);
  return { phase, timing, direction: '', timesUs, entrySkewUs: new Float64Array(us.length), bytes };
}

/** Rank 0 of a point, and what it opened of the addon. */
function partsOf(
  spec: MoeSpec,
  { device = 'host', nodeOfRank = [0, 0, 0, 0], trialUs = {}, stopped = false }: StandIn,
): { readonly parts: PointParts; readonly opened: Opened[] } {
  const opened: Opened[] = [];
  const openMoe = async (_world: unknown, options: NativeMoeOptions): Promise<object> => {
    const closed: boolean[] = [];
    opened.push({ options, closed });
    const us = trialUs[options.highThroughput?.strategy ?? ''] ?? [];
    const timed = (timing: Phase['timing'], times: readonly number[]): Phase[] =>
      ['dispatch', 'combine'].map((phase) => phaseOf(phase, timing, times));
    return {
      measure: async () => ({ phases: [...timed('host', us), ...timed('graph', [1])], stopped }),
      close: async (together: boolean) => void closed.push(together),
    };
  };
  const routing = makeRouting(spec, nodeOfRank.length);
  const context = {
    world: { info: { rank: 0, worldSize: nodeOfRank.length, nodeOfRank }, native: {} },
    device: { properties: { kind: device }, native: { openMoe } },
    samples: { warmup: 1, iterations: 4, freeRunning: false },
    injectedFaults: [],
    remainingMs: () => 1000,
    onAnyRank: async (_question: string, own: boolean) => own,
  } as unknown as PointParts['context'];
  const parts = {
    spec,
    context,
    routing,
    counts: countRouting(spec, routing, nodeOfRank),
    paths: peerPaths(spec, 0, nodeOfRank),
    nodes: forwardingNodes(spec, nodeOfRank, device),
  };
  return { parts, opened };
}

const HIGH = { algorithm: 'highThroughput', strategy: 'auto' } as const;
/** Every token goes to every rank, so that the bytes leave the strategy open. */
const EVERYWHERE = { ...HIGH, numTopk: 16, routing: { kind: 'uniform' } } as const;

t.test(
  'strategy auto takes the one whose fastest calls are faster, sparse where they are alike',
  async (t) => {
    const table: readonly [string, readonly number[], readonly number[]][] = [
      ['sparse', [90, 10, 80], [20, 20, 20]],
      ['sparse', [10, 10, 10], [10, 50, 50]],
      ['allGather', [11, 12, 13], [99, 10, 99]],
    ];
    for (const [chosen, sparse, allGather] of table) {
      const { parts, opened } = partsOf(moeSpec(EVERYWHERE), { trialUs: { sparse, allGather } });
      await openHighThroughput(parts);
      t.same(
        opened.map(({ options, closed }) => [options.highThroughput?.strategy, closed]),
        [
          ['sparse', [true]],
          ['allGather', [true]],
          [chosen, []],
        ],
        `${chosen}: both trials are closed before the point opens`,
      );
    }
  },
);

t.test('strategy auto tries nothing where allGather would move far more', async (t) => {
  const few = { ...HIGH, numTopk: 1, routing: { kind: 'uniform' } } as const;
  const { parts, opened } = partsOf(moeSpec(few), {});
  await openHighThroughput(parts);
  t.same(
    opened.map(({ options }) => options.highThroughput?.strategy),
    ['sparse'],
  );
});

t.test('a run that is told to stop during a trial says so, and closes it', async (t) => {
  const { parts, opened } = partsOf(moeSpec(EVERYWHERE), { stopped: true });
  await t.rejects(openHighThroughput(parts), {
    code: 'E_ABORTED',
    message: 'strategy auto: the run was told to stop during the trial',
  });
  t.same(
    opened.map(({ closed }) => closed),
    [[true]],
  );
});

t.test('high throughput on GPUs: its processors, its memory, and no rate without a sample', async (t) => {
  const spec = moeSpec({ ...EVERYWHERE, strategy: 'sparse', smCount: 8 });
  const { parts, opened } = partsOf(spec, { device: 'cuda' });
  const algorithm = await openHighThroughput(parts);
  t.equal(opened[0]?.options.highThroughput?.smCount, 8);
  const memory = capacities(spec, 4, parts.counts);
  t.equal(algorithm.moved.symmetricBytes, symmetricBytesHighCuda(spec, memory, 'sparse', false));
  const facts = { processors: 24, dispatchFirstUs: 7, combineFirstUs: 9 } as NativeMoeFacts;
  const of = (us: readonly number[], more: Partial<NativeMoeFacts> = {}): object =>
    algorithm.columns('dispatch', phaseOf('dispatch', 'event', us), { ...facts, ...more });
  // 12 tokens of 256 elements from each of three ranks, in 2 us.
  const whole = { receive_rows: 4 * 4 * 12, wire_GBps: (3 * 12 * 512) / 2 / 1000, sms: 24, first_call_us: 7 };
  t.same(of([9, 2, 1]), whole);
  const { wire_GBps: _rate, sms: _sms, ...others } = whole;
  t.same(of([], { processors: 0 }), others);
});

t.test('low latency on GPUs: bytes and memory of its own kernels, forwarding or not', async (t) => {
  for (const dedup of ['on', 'node'] as const) {
    const spec = moeSpec({ dedup });
    const nodeOfRank = [0, 0, 1, 1];
    const { parts } = partsOf(spec, { device: 'cuda', nodeOfRank });
    const algorithm = await openLowLatency(parts);
    const place = { rank: 0, nodes: new Nodes(nodeOfRank) };
    for (const operation of ['dispatch', 'combine'] as const) {
      t.same(
        algorithm.issued(operation),
        dedup === 'node'
          ? forwardedBytesCuda(spec, parts.counts, place, operation)
          : issuedBytesCuda(spec, parts.counts, 0, parts.paths, operation),
        `${dedup}, ${operation}`,
      );
    }
    t.equal(algorithm.moved.symmetricBytes, symmetricBytesCuda(spec, 4, dedup === 'node' ? 2 : 1), dedup);
  }
});
