/** Takes one point through its stages: prepare, measure, verify, close, with an agreement of all ranks after each. */
import type { Logger } from 'pino';
import type { JobKind } from '../job/kind.js';
import type { Measurement, Verification } from '../job/measurement.js';
import type { OpenPoint, PointContext } from '../job/context.js';
import type { ChosenDevice } from '../world/device.js';
import { exchange } from '../world/agreement.js';
import type { World } from '../world/world.js';
import type { NativeAddon } from '../native/types/index.js';
import type { Point } from '../job-spec/types.js';
import type { FaultInjection } from './fault-injection.js';
import { requireOwnColumns, requireStopped, requireVerified } from './kind-contract.js';
import type { ResourceCache } from '../job/resources.js';
import { AgreedFailure, BOUNDARY_GRACE_MS, runStage, type StageClock } from './stage.js';
import { stepsOf } from './steps.js';
import type { UsedLibraries } from './used-libraries.js';
import { judge, type Judgement, type StageVerdict } from './verdict.js';
import { itemAt } from '../values/items.js';

export interface PointOptions {
  readonly point: Point;
  readonly kind: JobKind;
  readonly world: World;
  readonly device: ChosenDevice;
  readonly addon: NativeAddon;
  readonly resources: ResourceCache;
  readonly log: Logger;
  readonly faults: FaultInjection;
  readonly threadsPerRank: number | undefined;
  ncclLibraries(): readonly string[];
  readonly libraries: UsedLibraries;
  /** Within a point, for who watches. */
  progress(point: Point, text: string): void;
  stopStatus(): number;
}

/** How a point went on this rank, and what all ranks concluded. */
export interface PointResult {
  /** The first stage that did not go well on all ranks; absent when all did. */
  readonly trouble?: { readonly judgement: Judgement; readonly own: StageVerdict };
  readonly measurements: readonly Measurement[];
  readonly verifications: readonly Verification[];
  /** Exit status of a signal, 0 for none. */
  readonly stop: number;
  readonly fatal: boolean;
  readonly startedAt: Date;
}

interface StageOutcome<T> {
  readonly judgement: Judgement;
  readonly own: StageVerdict;
  readonly value?: T;
}

export async function runPoint(options: PointOptions): Promise<PointResult> {
  const startedAt = new Date();
  let open: OpenPoint | undefined;
  let measurements: Measurement[] = [];
  let verifications: Verification[] = [];
  let trouble: StageOutcome<unknown> | undefined;
  let stop = 0;
  let fatal = false;
  const take = <T>(outcome: StageOutcome<T>): boolean => {
    stop = Math.max(stop, outcome.judgement.stop);
    fatal ||= outcome.judgement.fatal;
    if (outcome.judgement.status === 'ok') return stop === 0;
    trouble ??= outcome;
    return false;
  };

  const prepared = await stage(options, 'prepare', (context) => options.kind.open(context));
  open = prepared.value;
  if (take(prepared)) {
    const measured = await stage(options, 'measure', async () => {
      const found = (await open?.measure()) ?? [];
      requireOwnColumns(options.kind, found);
      requireStopped(options.kind, options.point, found);
      return found;
    });
    measurements = measured.value ?? [];
    const whole = !measurements.some((m) => m.state === 'measured' && m.stopped === true);
    if (take(measured) && whole) {
      const verified = await stage(options, 'verify', async () => {
        const found = (await open?.verify()) ?? [];
        requireVerified(options.kind, options.point, measurements, found);
        return found;
      });
      verifications = verified.value ?? [];
      take(verified);
    }
  }
  if (!fatal) take(await stage(options, 'close', async () => open?.close()));
  return {
    measurements,
    verifications,
    stop,
    fatal,
    startedAt,
    ...(trouble ? { trouble: { judgement: trouble.judgement, own: trouble.own } } : {}),
  };
}

/** One stage with its boundary. The same on all ranks, whatever happened on each. */
async function stage<T>(
  options: PointOptions,
  name: string,
  body: (context: PointContext) => Promise<T>,
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
  let outcome: StageOutcome<T>;
  try {
    const local = await runStage(stageOptions, async (clock) => {
      await options.faults.strike(name, point.index);
      return body(contextOf(options, name, clock));
    });
    if (local.verdict.status !== 'ok') {
      log.warn(
        { point: point.index, stage: name, err: local.error },
        local.verdict.message ?? local.verdict.status,
      );
      // Peers may be in native waits for this rank: they are told, so that they need not wait for their deadline.
      if (!addon.isWorkerBusy()) await world.native.failEpoch();
    }
    const verdicts = await exchange(world, name, local.verdict, {
      timeoutMs: timeoutMs + BOUNDARY_GRACE_MS,
      stage: name,
      point: point.index,
    });
    outcome = {
      judgement: judge(name, verdicts),
      own: local.verdict,
      ...(local.value === undefined ? {} : { value: local.value }),
    };
  } catch (error) {
    if (!(error instanceof AgreedFailure)) throw error;
    outcome = { judgement: judge(name, error.verdicts), own: itemAt(error.verdicts, world.info.rank) };
  }
  // What a failed stage left in flight between ranks must never be heard in the next.
  if (outcome.judgement.status !== 'ok' && !outcome.judgement.fatal)
    await world.native.renew(BOUNDARY_GRACE_MS);
  return outcome;
}

function contextOf(options: PointOptions, stageName: string, clock: StageClock): PointContext {
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
    signal: clock.signal,
    threadsPerRank: options.threadsPerRank,
    ncclLibraries: () => options.ncclLibraries(),
    noteNccl: (version) => options.libraries.noteNccl(version),
    progress: (done, total, unit) => options.progress(point, `${done} of ${total} ${unit}`),
    remainingMs: () => clock.remainingMs(),
    ...stepsOf(options, stageName, clock),
  };
}
