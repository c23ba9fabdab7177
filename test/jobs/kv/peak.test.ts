import t from 'tap';
import { settlePeak, type ProbedPoint } from '../../../jobs/kv/sharded/peak.js';
import type { PointContext } from '../../../runner/job/context.js';
import type { Peak } from '../../../runner/job/measurement.js';

const SOURCE = 'contiguous host memcpy';

interface Settled {
  readonly peak: Peak | undefined;
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
  const peak = await settlePeak(context, {
    transfer,
    together: true,
    first: { GBps: probes[0] ?? 0, source: SOURCE, stopped: false },
    payloadBytes: 1000,
    samplesUs: Float64Array.from([90, 100, 110]),
    repeatable: true,
    advantage: '',
    ...overrides,
  });
  return { peak, again };
}

t.test('a limit that no rank beats is probed once', async (t) => {
  t.same(await settle([0.02]), { peak: { GBps: 0.02, source: SOURCE }, again: 0 });
});

t.test('one that is beaten is probed again until it is not, and the largest counts', async (t) => {
  t.same(await settle([0.005, 0.004, 0.03, 0.9]), { peak: { GBps: 0.03, source: SOURCE }, again: 2 });
  t.same(await settle([0.02, 0.01], {}, [true]), { peak: { GBps: 0.02, source: SOURCE }, again: 1 });
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
  t.same(await settle([0], { repeatable: false }), { peak: undefined, again: 0 });
});
