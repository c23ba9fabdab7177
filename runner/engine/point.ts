/** Takes one point through its stages: prepare, measure, verify, close, with an agreement of all ranks after each. */
import type { Logger } from 'pino';
import type { JobKind } from '../job/kind.js';
import type { Measurement, Verification } from '../job/measurement.js';
import type { PointContext } from '../job/context.js';
import type { ChosenDevice } from '../world/device.js';
import type { World } from '../world/world.js';
import type { NativeAddon } from '../native/types/index.js';
import type { Point } from '../job-spec/types.js';
import type { FaultInjection } from './fault-injection.js';
import { requireOwnColumns, requireStopped, requireVerified } from './kind-contract.js';
import type { ResourceCache } from '../job/resources.js';
import { boundaryGraceMs } from '../world/deadlines.js';
import { AgreedFailure, runStage } from './stage.js';
import { PointStage } from './point-stage.js';
import { StageExchanges } from './stage-exchanges.js';
import { stepsOf } from './steps.js';
import type { UsedLibraries } from './used-libraries.js';
import { judge, type BadJudgement, type BadVerdict, type Judgement, type StageVerdict } from './verdict.js';
import { itemAt } from '../values/items.js';

export interface PointOptions {
  readonly point: Point;
  readonly kind: JobKind;
  /** Frees what the job before this one kept, before the point takes anything. */
  readonly release?: (() => Promise<void>) | undefined;
  readonly world: World;
  readonly device: ChosenDevice;
  readonly addon: NativeAddon;
  readonly resources: ResourceCache;
  readonly log: Logger;
  readonly faults: FaultInjection;
  readonly threadsPerRank: number | undefined;
  readonly ncclLibraries: () => readonly string[];
  readonly libraries: UsedLibraries;
  /** Within a point, for who watches. */
  progress(point: Point, text: string): void;
  stopStatus(): number;
}

/** How a point went on this rank, and what all ranks concluded. */
export interface PointResult {
  /** The first stage that did not go well on all ranks; absent when all did. */
  readonly trouble?: { readonly judgement: BadJudgement; readonly own: StageVerdict };
  readonly measurements: readonly Measurement[];
  readonly verifications: readonly Verification[];
  /** Exit status of a signal, 0 for none. */
  readonly stop: number;
  /** For whose sake the run cannot go on; it need not be in the stage of `trouble`. */
  readonly fatal?: BadVerdict | undefined;
  readonly startedAt: Date;
}

interface StageOutcome<T> {
  readonly judgement: Judgement;
  readonly own: StageVerdict;
  readonly value?: T;
}

export async function runPoint(options: PointOptions): Promise<PointResult> {
  const startedAt = new Date();
  const running = new PointStage();
  const stage = <T>(name: string, body: () => Promise<T>): Promise<StageOutcome<T>> =>
    runStageTogether({ options, name, running }, body);
  let measurements: Measurement[] = [];
  let verifications: Verification[] = [];
  let trouble: PointResult['trouble'];
  let stop = 0;
  let fatal: BadVerdict | undefined;
  /** The stage's value, where the point goes on. */
  const take = <T>({ judgement, own, value }: StageOutcome<T>): T | undefined => {
    stop = Math.max(stop, judgement.stop);
    if (judgement.status === 'ok') return stop === 0 ? value : undefined;
    fatal = judgement.fatal;
    trouble ??= { judgement, own };
    return undefined;
  };

  const prepared = await stage('prepare', async () => {
    await options.release?.();
    return await options.kind.open(contextOf(options, running));
  });
  const open = take(prepared);
  if (open) {
    const measured = await stage('measure', async () => {
      const found = await open.measure();
      requireOwnColumns(options.kind, found);
      requireStopped(options.kind, options.point, found);
      return found;
    });
    measurements = measured.value ?? [];
    const whole = !measurements.some((m) => m.state === 'measured' && m.stopped === true);
    if (take(measured) && whole) {
      const verified = await stage('verify', async () => {
        const found = await open.verify();
        requireVerified(options.kind, options.point, measurements, found);
        return found;
      });
      verifications = verified.value ?? [];
      take(verified);
    }
  }
  if (!fatal) take(await stage('close', async () => prepared.value?.close()));
  return {
    measurements,
    verifications,
    stop,
    startedAt,
    fatal,
    ...(trouble ? { trouble } : {}),
  };
}

interface StageOfPoint {
  readonly options: PointOptions;
  readonly name: string;
  readonly running: PointStage;
}

/** One stage with its boundary. The same on all ranks, whatever happened on each. */
async function runStageTogether<T>(
  { options, name, running }: StageOfPoint,
  body: () => Promise<T>,
): Promise<StageOutcome<T>> {
  const { point, world, addon, log } = options;
  const timeoutMs = point.job.timeoutSeconds * 1000;
  const stageOptions = {
    stage: name,
    point: point.index,
    timeoutMs,
    world,
    addon,
    stopStatus: options.stopStatus,
  };
  const exchanges = new StageExchanges(stageOptions);
  let verdicts: readonly StageVerdict[];
  let value: T | undefined;
  try {
    const local = await runStage(stageOptions, async (clock) => {
      running.enter({ name, clock, exchanges });
      await options.faults.strike(name, point.index);
      return await body();
    });
    const { verdict } = local;
    if (verdict.status !== 'ok') {
      log.warn({ point: point.index, stage: name, err: local.error }, verdict.message);
      // Peers may be in native waits for this rank: they are told, so that they need not wait for their deadline.
      if (!addon.isWorkerBusy()) await world.native.failEpoch();
    }
    verdicts = await exchanges.atEnd(local.verdict, timeoutMs);
    ({ value } = local);
  } catch (error) {
    if (!(error instanceof AgreedFailure)) throw error;
    ({ verdicts } = error);
  }
  const judgement = judge(name, verdicts);
  if (judgement.status !== 'ok') {
    running.fail();
    // What a failed stage left in flight between ranks must never be heard in the next.
    if (!judgement.fatal) await world.native.renew(boundaryGraceMs(world.info));
  }
  const own = itemAt(verdicts, world.info.rank);
  return { judgement, own, ...(value === undefined ? {} : { value }) };
}

function contextOf(options: PointOptions, stage: PointStage): PointContext {
  const { point, world } = options;
  return {
    point,
    world,
    device: options.device,
    addon: options.addon,
    resources: options.resources,
    log: options.log,
    injectedFaults: options.faults.ofKind(point.index),
    samples: {
      warmup: point.job.warmup,
      iterations: point.job.iterations,
      freeRunning: point.job.freeRunning,
    },
    ...(point.job.stopping === undefined ? {} : { stopping: point.job.stopping }),
    get signal() {
      return stage.running.clock.signal;
    },
    threadsPerRank: options.threadsPerRank,
    ncclLibraries: options.ncclLibraries,
    // v8 ignore next -- GPUs
    noteNccl: (version) => options.libraries.noteNccl(version),
    progress: (done, total, unit) => options.progress(point, `${done} of ${total} ${unit}`),
    remainingMs: () => stage.running.clock.remainingMs(),
    meetingMs: () => stage.running.clock.remainingMs() + boundaryGraceMs(world.info),
    ...stepsOf(options, stage),
  };
}
