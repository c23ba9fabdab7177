/** Ends of a run that are not in order: a signal that the ranks could not agree on, a start that failed, a lost world. */
import { setTimeout as sleep } from 'node:timers/promises';
import { takeCoverage } from 'node:v8';
import { reportError } from '../error-line.js';
import { knownCode, RunnerError } from '../errors.js';
import type { LogFile } from '../log.js';
import { printError } from '../print.js';
import { isHanging } from '../results/output-errors.js';
import type { ManifestEnd, ManifestFile } from '../results/manifest.js';
import { rescued } from '../results/rescue.js';
import { within } from '../within.js';
import { stageOf } from '../world/agreement.js';
import type { World } from '../world/world.js';
import type { Neighbours } from '../world/neighbours.js';
import { lostOutcome, notStarted, stopFailure, type Loss } from './outcome.js';
import { abortRest } from './points.js';
import type { RankProcess } from './rank-process.js';
import { removeLock } from './run-lock.js';
import { probesOf, type Run } from './run-state.js';
import type { StopRequest } from './signals.js';

/** What a rank has begun so far: an end can come at any moment of the start. */
export interface Begun {
  readonly process: RankProcess;
  readonly logFile: LogFile;
  readonly stop: StopRequest;
  neighbours?: Neighbours;
  /** Rank 0, from the making of the run's folder on. */
  manifest?: ManifestFile | undefined;
  run?: Run;
}

/** A signal came: what must not wait for the other ranks. */
export function beginStop(begun: Begun, world: World): void {
  begun.neighbours?.look();
  world.native.setStop(1);
  foretellStop(begun);
}

/** Also for a manifest that is begun after the signal. */
export function foretellStop({ manifest, stop }: Begun): void {
  manifest?.foretell({
    exitStatus: stop.status,
    error: { code: 'E_INTERRUPTED', message: stopFailure(stop.signal).error },
    endedAt: new Date(),
    statusCounts: [],
  });
}

/** A signal came and the ranks did not agree in time: this rank's rows are written, and it goes. */
export async function exitWithoutPeers(begun: Begun, status: number): Promise<never> {
  const { run, stop } = begun;
  let rest: Pick<ManifestEnd, 'statusCounts' | 'probes' | 'error'>;
  if (run) {
    const { death, isHanging } = await closeRows(run);
    // Its manifest and its log would lie in the same file system.
    if (isHanging) exitNow(begun.process, status);
    rest = {
      statusCounts: [run.counts.toJSON()],
      probes: probesOf(run),
      ...(death ? { error: { code: death.code, message: death.why } } : {}),
    };
  } else {
    const message = `the run ended before its first point: ${stopFailure(stop.signal).error}`;
    rest = { statusCounts: [], error: { code: 'E_INTERRUPTED', message } };
  }
  printEarlyEnd(begun, rest.error);
  await finishHurried(begun, { exitStatus: status, endedAt: new Date(), ...rest });
  await within(stop.budget.fileMs, begun.logFile.flush());
  if (run && run.world.info.worldSize > 1) await sleep(stop.othersMs);
  exitNow(begun.process, status);
}

/** Rank 0 prints for all ranks, even if it does not reach the end of the run. */
function printEarlyEnd({ manifest, stop }: Begun, error: ManifestEnd['error']): void {
  if (!manifest) return;
  const code = knownCode(error?.code, 'E_INTERRUPTED');
  const why = error?.message ?? stopFailure(stop.signal).error;
  reportError({ code, message: `the run ended early: ${why}` });
}

interface ClosedRows {
  /** Who died, where the signal is the launcher's for the sake of a death. */
  readonly death: Loss | null;
  readonly isHanging: boolean;
}

async function closeRows(run: Run): Promise<ClosedRows> {
  if (!run.ending)
    run.log.warn('the ranks did not agree on the stop in time: this rank leaves without the others');
  const death = deathIn(run);
  await abortRest(
    run,
    death
      ? notStarted(death.code, death.why, death.hungRank)
      : notStarted('E_INTERRUPTED', stopFailure(run.stop.signal).error),
    { endsAt: run.stop.rowsEndAt, ...(death ? { inFlight: lostOutcome(undefined, death) } : {}) },
  );
  run.ending = true;
  const failures: unknown[] = [];
  const rescue = (error: unknown): void => {
    failures.push(error);
    reportError(rescued(error, run.facts.runId, printError));
  };
  const limits = { sync: false, withinMs: run.stop.budget.fileMs };
  await Promise.all(run.observers.closings.map(({ close }) => close(limits).catch(rescue)));
  return { death, isHanging: failures.some(isHanging) };
}

/** The signal may be the launcher's, which ends all ranks for the sake of one that died. */
function deathIn(run: Run): Loss | null {
  const hungRank = run.world.native.deadRank();
  if (hungRank < 0) return null;
  const why = `rank ${hungRank} ended or stopped answering. Look at that rank's own output and at its host.`;
  return { code: 'E_PEER_DEAD', why, stage: stageOf(run.world, hungRank), hungRank };
}

/** Puts the manifest in place without waiting for the disk: a launcher kills a process that waits. Never rejects. */
async function finishHurried(begun: Begun, end: ManifestEnd): Promise<void> {
  const { manifest, stop } = begun;
  if (!manifest) return;
  manifest.hurry();
  await within(stop.budget.fileMs, manifest.finish(end));
  await within(stop.budget.fileMs, removeLock(manifest.folder));
}

/** The start failed after the folder was made: its manifest must not say for ever that the run lasts. */
export async function finishRefused(begun: Begun, failure: RunnerError): Promise<void> {
  const { code, message, exitStatus } = failure;
  await finishHurried(begun, {
    exitStatus: begun.stop.status || exitStatus,
    ...(begun.stop.status === 0 ? { outcome: 'refused' } : {}),
    error: { code, message },
    endedAt: new Date(),
    statusCounts: [],
  });
}

/** Out without MPI_Finalize or exit hooks: they would wait for ranks or threads that do not come back. */
export function exitNow(process: Pick<RankProcess, 'addon'>, status: number): never {
  // One of the hooks is Node's report of what was executed; it does nothing unless NODE_V8_COVERAGE asks for one.
  takeCoverage();
  process.addon().exitNow(status);
  throw new RunnerError('E_STATE', 'the process did not end');
}
