import t from 'tap';
import { measureTransfer } from '../../../jobs/kv/sharded/measure.js';
import { settlePeaks, type ProbedPoint } from '../../../jobs/kv/sharded/peak.js';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import type { PointContext } from '../../../runner/job/context.js';
import { specAs } from '../../../runner/job/kind.js';
import type { Peak } from '../../../runner/job/measurement.js';
import { loadJob, offloadJob } from '../../runner/job-spec/spec-fixture.js';

const SOURCE = 'contiguous host memcpy';

interface Settled {
  readonly peak: Peak | undefined;
  readonly peaks: readonly Peak[] | undefined;
  /** How often the limit was probed behind the samples. */
  readonly again: number;
}

/** 1000 bytes in 100 us are 0.01 GB/s; `others`: what another rank answers each time. */
async function settle(
  probes: readonly number[],
  overrides: Partial<ProbedPoint> = {},
  others: readonly boolean[] = [],
): Promise<Settled> {
  let again = 0;
  let asked = 0;
  const context = {
    onAnyRank: async (_question: string, own: boolean) => own || (others[asked++] ?? false),
  } as unknown as PointContext;
  const transfer = {
    probe: async () => {
      again += 1;
      return { GBps: probes[again] ?? 0, source: SOURCE, stopped: false };
    },
  } as unknown as ProbedPoint['transfer'];
  const peaks = await settlePeaks(context, {
    transfer,
    together: true,
    first: { GBps: probes[0] ?? 0, source: SOURCE, stopped: false },
    payloadBytes: 1000,
    samplesUs: [Float64Array.from([90, 100, 110])],
    repeatable: true,
    advantage: '',
    ...overrides,
  });
  return { peak: peaks?.[0], peaks, again };
}

t.test('a limit that no rank beats is probed once', async (t) => {
  t.match(await settle([0.02]), { peak: { GBps: 0.02, source: SOURCE, note: undefined }, again: 0 });
});

t.test('one that is beaten is probed again until it is not, and the largest counts', async (t) => {
  t.match(await settle([0.005, 0.004, 0.03, 0.9]), { peak: { GBps: 0.03, source: SOURCE }, again: 2 });
  t.match(await settle([0.02, 0.01], {}, [true]), { peak: { GBps: 0.02, source: SOURCE }, again: 1 });
});

t.test('what remains beaten says how often it was probed, and why', async (t) => {
  const busy = await settle([0.005, 0.004, 0.006]);
  t.equal(busy.again, 4);
  t.same(busy.peak, {
    GBps: 0.006,
    source: SOURCE,
    note: 'above the fastest of 5 probes around the samples: the machine changed its pace between them',
  });
  t.match((await settle([0.005], { together: false, advantage: 'it has more threads' })).peak, {
    note: /5 probes around the samples: it has more threads$/,
  });
  const disk = await settle([0.005, 0.9], { repeatable: false });
  t.equal(disk.again, 0, 'a probe that would spoil the result is not repeated');
  t.match(disk.peak, { GBps: 0.005, note: /which cannot be repeated/ });
  t.match(await settle([0], { repeatable: false }), { peak: undefined, again: 0 });
  const none = { samplesUs: [new Float64Array()] };
  t.match(
    await settle([0.005], none),
    { peak: { GBps: 0.005, note: undefined }, again: 0 },
    'stopped at once',
  );
});

t.test('every clock has the limit, and only what is above it a note', async (t) => {
  const samplesUs = [Float64Array.from([300]), Float64Array.from([100])];
  const { peaks } = await settle([0.005], { samplesUs, repeatable: false });
  t.same(
    peaks?.map(({ GBps, note }) => [GBps, note !== undefined]),
    [
      [0.005, false],
      [0.005, true],
    ],
  );
});

t.test(
  'the rows of the whole transfer have a peak by host clock and by events, those of a direction none',
  async (t) => {
    const bytes = { payload: 1000, self: 0, ipc: 0, network: 0, pcie: 1000, disk: 0 };
    const phaseOf = (phase: string, timing: string, us: number): object => ({
      phase,
      timing,
      direction: 'device->host',
      timesUs: Float64Array.from([us]),
      entrySkewUs: new Float64Array(),
      bytes,
    });
    const phases = [
      phaseOf('total', 'host', 100),
      phaseOf('total', 'event', 90),
      phaseOf('lane', 'event', 80),
    ];
    const transfer = {
      probe: async () => ({ GBps: 1, source: SOURCE, stopped: false }),
      measure: async () => ({ phases, stopped: false }),
      facts: async () => [
        {
          direction: 'device->host',
          strategyUsed: 'memcpyBatch',
          batchesMerged: true,
          numCopies: 3,
          diskIo: '',
        },
      ],
    } as unknown as ProbedPoint['transfer'];
    const context = {
      device: { properties: { kind: 'cuda' } },
      samples: { iterations: 1, warmup: 0 },
      onAnyRank: async () => false,
    } as unknown as PointContext;
    const spec = specAs<KvSpec>(loadJob(offloadJob({})).points[0]?.spec ?? {});
    const rows = await measureTransfer(context, spec, transfer, 0);
    t.same(
      rows.map(({ phase, timing, peak }) => [phase, timing, peak?.source]),
      [
        ['total', 'host', SOURCE],
        ['total', 'event', SOURCE],
        ['lane', 'event', undefined],
      ],
    );
    t.match(rows[0], { strategyUsed: 'memcpyBatch', extra: { batches_merged: 'yes', copies: 3 } });
  },
);
