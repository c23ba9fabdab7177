/** Job kinds whose points do what the plan says, on modelled native work. */
import { column } from '../../runner/job/column.js';
import type { OpenPoint, PointContext } from '../../runner/job/context.js';
import { defineKind, type JobKind } from '../../runner/job/kind.js';
import { howItEnded } from '../../runner/job/measured-phase.js';
import type { Measured, Measurement, Verification } from '../../runner/job/measurement.js';
import { takeSamples } from '../../runner/job/take-samples.js';
import type { MeasuredPhases, Phase } from '../../runner/native/types/index.js';
import { itemAt } from '../../runner/values/items.js';
import { meet, PLANNED, takeSteps, type RankUnderTest } from './kind-steps.js';
import { troubleAt, type Plan, type PlannedPoint } from './plan.js';
import { nativeError } from './rank-world.js';
import { currentProcess } from './rank-context.js';

const phaseName = (at: number): string => `phase${at}`;

/** One native call: the gated loop that all ranks run together. */
async function sampleOnce(
  rank: RankUnderTest,
  context: PointContext,
  plan: Plan,
  options: PointContext['samples'],
): Promise<MeasuredPhases> {
  const { world, work } = rank;
  const { index, job } = context.point;
  const point = itemAt(plan.points, index);
  const trouble = troubleAt(plan, world.info.rank, index, 'measure');
  const inSamples = trouble?.step === point.steps.measure.length ? trouble : undefined;
  const total = options.warmup + options.iterations;
  const slowMs = trouble?.kind === 'slow' ? (1500 * job.timeoutSeconds) / total : 0;
  const set = await world.worker.run(
    async () =>
      await work.sample(options, async (at) => {
        if (inSamples && at === Math.min(inSamples.sample, options.iterations - 1)) {
          await meet(inSamples, rank, context, true);
        }
        const ms = slowMs + world.process.random.time(0.5, 1) * point.iterationMs;
        await work.busy(ms);
        return ms * 1000;
      }),
  );
  const phases = point.roles.map((_, at): Phase => ({
    phase: phaseName(at),
    timing: 'host',
    direction: '',
    timesUs: set.timesUs.map((us) => us + at),
    entrySkewUs: new Float64Array(set.timesUs.length),
    bytes: { payload: 64, self: 0, ipc: 64, network: 0, pcie: 0, disk: 0 } as never,
  }));
  return { phases, stopped: set.stopped } as MeasuredPhases;
}

async function measure(
  rank: RankUnderTest,
  context: PointContext,
  plan: Plan,
): Promise<Measurement<'hops'>[]> {
  const { info } = rank.world;
  const { index } = context.point;
  await takeSteps(rank, context, plan, 'measure');
  const sampled = await takeSamples(
    context,
    async (options) => await sampleOnce(rank, context, plan, options),
  );
  const trouble = troubleAt(plan, info.rank, index, 'measure');
  if (trouble?.kind === 'nothing') return [];
  const found = itemAt(plan.points, index).roles.map((roles, at): Measurement<'hops'> => {
    const shared = { phase: phaseName(at), timing: 'host', direction: '' } as const;
    const role = itemAt(roles, info.rank);
    if (role === 'idle') return { ...shared, state: 'idle' };
    if (role === 'skipped') {
      return { ...shared, state: 'skipped', errorCode: 'E_UNSUPPORTED_HERE', error: PLANNED };
    }
    const extra = { [trouble?.kind === 'column' ? 'hopz' : 'hops']: 3 } as Measured<'hops'>['extra'];
    return {
      ...shared,
      state: 'measured',
      samplesUs: itemAt(sampled.phases, at).timesUs,
      ...howItEnded(sampled),
      bytes: { payload: 64 },
      ...(extra ? { extra } : {}),
    };
  });
  rank.measured.set(index, found);
  return found;
}

function findings(rank: RankUnderTest, plan: Plan, index: number): Verification[] {
  const trouble = troubleAt(plan, rank.world.info.rank, index, 'verify');
  if (trouble?.kind === 'unverified') return [];
  const wrong = trouble?.kind === 'wrong' ? 3 : 0;
  return itemAt(plan.points, index).roles.map((_, at) => ({
    phase: phaseName(at),
    checked: 8,
    wrong,
    firstBad: wrong > 0 ? 'block 0' : '',
  }));
}

/** What a job keeps from point to point. */
async function acquire(
  rank: RankUnderTest,
  context: PointContext,
  plan: Plan,
  point: PlannedPoint,
): Promise<void> {
  const { trouble } = plan;
  const job = itemAt(plan.jobs, point.job);
  if (!job.keepsResource && !trouble?.kind.startsWith('close')) return;
  const { worker, info } = rank.world;
  // Freed between jobs, or at the end of the run.
  const isIll = trouble?.rank === info.rank && plan.points[trouble.point]?.job === point.job;
  await context.resources.acquire(`resource of ${job.id}`, async () => ({
    close: async () => {
      if (isIll && trouble?.kind === 'closeHangs') await worker.run(async () => await rank.work.stick());
      await worker.run(async () => await rank.work.busy(1));
      if (isIll && trouble?.kind === 'closeFails') throw nativeError('E_IO', PLANNED);
    },
  }));
}

async function openPoint(rank: RankUnderTest, context: PointContext, plan: Plan): Promise<OpenPoint<'hops'>> {
  const { index } = context.point;
  await acquire(rank, context, plan, itemAt(plan.points, index));
  await takeSteps(rank, context, plan, 'prepare');
  return {
    measure: async () => await measure(rank, context, plan),
    verify: async () => {
      await takeSteps(rank, context, plan, 'verify');
      return findings(rank, plan, index);
    },
    close: async () => await takeSteps(rank, context, plan, 'close'),
  };
}

export function simulatedKinds(plan: Plan, rankOf: (rank: number) => RankUnderTest): JobKind[] {
  const define = (kind: string): JobKind =>
    defineKind<unknown>()({
      kind,
      summary: 'Does what the plan of a seed says.',
      schema: {
        type: 'object',
        properties: { variant: { type: 'integer', default: 0, description: 'Which.' } },
      },
      example: { iterations: 3 },
      columns: [column('hops', '', 'a column of its own')],
      check: () => [],
      plan: () => ({ memoryBytes: { device: 0, host: 0, disk: 0 }, payloadBytes: 64 }),
      need: (_spec, { rank }) => {
        if (plan.start?.kind === 'need' && plan.start.rank === rank) throw new Error(PLANNED);
        return { memoryBytes: { device: 0, host: 0, disk: 0 } };
      },
      open: async (_spec, context) => await openPoint(rankOf(currentProcess()?.rank ?? -1), context, plan),
    });
  return ['first', 'second'].map(define);
}
