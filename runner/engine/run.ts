/** A whole run on this rank: start, points, end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launcher } from '../environment/launcher.js';
import { readEnvironment } from '../environment/variables.js';
import type { MpiWorld, World } from '../world/world.js';
import { EXIT, RunnerError, toRunnerError, worstExit } from '../errors.js';
import { reportError, reportErrorOfRank } from '../error-line.js';
import { LogFile } from '../log.js';
import { abortLaunch } from '../world/abort-launch.js';
import { printError, printOut } from '../print.js';
import { counted } from '../text/plural.js';
import { beginStop, finishRefused, exitWithoutPeers, exitNow, type Begun } from './leave.js';
import { runPoints, type LoopEnd } from './points.js';
import type { ManifestEnd } from '../results/manifest.js';
import { HangingFileError, isHanging } from '../results/output-errors.js';
import { rescued } from '../results/rescue.js';
import { probesOf, type Run } from './run-state.js';
import { OWN_PROCESS, type RankProcess } from './rank-process.js';
import { removeLock } from './run-lock.js';
import type { RunRequest } from './run-request.js';
import { readOwnSpec, startRun } from './start.js';
import { agreeOnEnd, measuredNothing, type Agreed } from './end-agreement.js';
import { StopRequest } from './signals.js';
import { waitText } from './stage.js';
import { within } from '../within.js';
import { endTimeoutMs, startTimeoutMs } from '../world/deadlines.js';

/**
 * Without a world to agree in, the first rank speaks at once and the others after this: where it has spoken, its end has
 * made the launcher end them. Open MPI 4.1.4 takes 1 s for that, MPICH 4.0.2 does it at once.
 */
const FIRST_RANK_GRACE_MS = 3000;
/** A launcher ends all ranks with the first that leaves: in a lost world each gives the others time to write their rows. */
const LOST_WORLD_GRACE_MS = 2000;

/** From a healthy run's end on: what a file system gets that does not answer. An NFS server is back within that, or lost. */
const FILE_WITHIN_MS = 30_000;
const AGAIN_WITHIN_MS = 1000;
const LOG_WITHIN_MS = 2000;

/** Resolves to the exit status, the same on all ranks that can still talk. */
export async function runOnThisRank(
  request: RunRequest,
  process: RankProcess = OWN_PROCESS,
): Promise<number> {
  const environment = readEnvironment();
  const launcher = process.launcher();
  const ownSpec = launcher.rank === 0 ? readOwnSpec(request, environment) : undefined;
  const ranksPerNode = ownSpec && 'spec' in ownSpec ? ownSpec.spec.ranksPerNode : 0;
  let world: MpiWorld;
  try {
    world = await process.openWorld({ ranksPerNode, timeoutMs: startTimeoutMs() });
  } catch (error) {
    return await failAlone(launcher, toRunnerError(error, 'E_MPI_MISSING'));
  }
  // Before the first agreement: where the run has a folder, every rank takes signals.
  const stop = new StopRequest({
    signals: process.signals,
    graceSeconds: environment.settings.stopGraceSeconds,
    onStop: () => beginStop(begun, world),
    exitWithoutPeers: (status) => void exitWithoutPeers(begun, status),
  });
  const begun: Begun = { process, logFile: new LogFile(), stop };
  stop.takeEarly();
  let run: Run;
  try {
    run = begun.run = await startRun({ request, environment, world, ownSpec, begun, stop });
  } catch (error) {
    return await refuse(world, toRunnerError(error, 'E_STATE'), begun);
  }
  const end = await runPoints(run);
  const status = await endRun(run, end, begun);
  await within(LOG_WITHIN_MS, begun.logFile.close());
  // Threads of what is left must not meet destructors of the libraries that they run in.
  if (!run.resources.isEmpty) exitNow(process, status);
  return status;
}

/** There is no world. Whichever rank fails says so: the first may be well, and killed for this one's sake. */
async function failAlone(launcher: Launcher, failure: RunnerError): Promise<number> {
  const isSharedByAll = failure.code !== 'E_LAUNCHER_MISMATCH' || launcher.speaks === null;
  if (launcher.rank > 0 && isSharedByAll) await sleep(FIRST_RANK_GRACE_MS);
  if (launcher.size === 1 || launcher.size === null) reportError(failure);
  else reportErrorOfRank(launcher.rank, failure);
  abortLaunch(failure.exitStatus);
  return failure.exitStatus;
}

/** The run could not start: said once, and every rank leaves in order. */
async function refuse(world: World, failure: RunnerError, begun: Begun): Promise<number> {
  if (world.info.rank === 0) reportError(failure);
  await finishRefused(begun, failure);
  const status = begun.stop.status || failure.exitStatus;
  if (failure.exitStatus === EXIT.fatal) exitNow(begun.process, status);
  try {
    await world.native.finalize(endTimeoutMs());
    /* v8 ignore start -- lost ranks */
  } catch {
    // Why the run does not start has been said; that a rank does not leave in order changes nothing.
    exitNow(begun.process, status);
  }
  /* v8 ignore stop */
  begun.stop.close();
  return status;
}

/** Closes what is open, agrees on the exit status, and puts the manifest in place last. */
async function endRun(run: Run, end: LoopEnd, { process, logFile }: Begun): Promise<number> {
  const { hurried } = end;
  run.ending = true;
  const { failures } = run;
  const attempt = async (what: string, body: () => Promise<unknown>): Promise<void> => {
    try {
      await body();
    } catch (error) {
      const failure = rescued(error, run.facts.runId, printError);
      run.log.error({ err: failure }, `${what}: ${failure.message}`);
      failures.push(failure);
    }
  };
  // After a signal the end of the process gives memory back: unmapping pools takes time that a launcher does not grant.
  if (!end.worldLost && !hurried && !run.addon.isWorkerBusy())
    await attempt('giving back memory', () => giveBack(run));
  // A file system that has not answered once gets no more than a second chance.
  const withinMs = (): number =>
    hurried ? run.stop.budget.fileMs : failures.some(isHanging) ? AGAIN_WITHIN_MS : FILE_WITHIN_MS;
  for (const { name, close } of run.observers.closings)
    await attempt(`closing ${name}`, () => close({ sync: !hurried, withinMs: withinMs() }));
  const own = worstExit([end.exitStatus, ...failures.map((failure) => failure.exitStatus)]);
  const agreed = await agreeOnEnd(run, own, end);
  run.neighbours.close();
  let { status } = agreed;
  if (run.manifest) {
    const before = failures.length;
    await attempt('writing the manifest', () => finishManifest(run, agreed, end, withinMs()));
    if (!failures.some(isHanging)) await attempt('giving back the folder', () => removeLock(run.folder));
    // Without its manifest a run was not good, whatever all ranks had agreed on.
    const late = failures.slice(before);
    status = worstExit([status, ...late.map((failure) => failure.exitStatus)]);
    printOutcome(run, status, end, { failures: [...agreed.failures, ...late], statusCounts: agreed.counts });
  }
  if (end.worldLost && !hurried) await sleep(LOST_WORLD_GRACE_MS);
  const isLogWhole = await within(hurried ? run.stop.budget.fileMs : LOG_WITHIN_MS, logFile.flush());
  if (end.worldLost || !agreed.whole || run.addon.isWorkerBusy()) exitNow(process, status);
  try {
    await run.world.native.finalize(hurried ? run.stop.budget.endMs : endTimeoutMs());
  } catch (error) {
    run.log.error({ err: error }, 'MPI could not be finalized');
    exitNow(process, status);
  }
  // The exit of the process would wait for threads that still hang in a file system.
  if (!isLogWhole || failures.some(isHanging)) exitNow(process, status);
  run.stop.close();
  return status;
}

/** The other ranks wait at the end, for twice as long as this. */
async function giveBack({ addon, resources }: Run): Promise<void> {
  const limitMs = endTimeoutMs() / 2;
  const freed = resources.closeForExit();
  if (await within(limitMs, freed)) return await freed;
  throw new RunnerError(
    'E_STUCK',
    `giving back memory did not end within ${limitMs / 1000} s${waitText(addon.heldUpBy())}. ` +
      'All points were measured; look at what it waits for on this host',
  );
}

async function finishManifest(run: Run, agreed: Agreed, end: LoopEnd, withinMs: number): Promise<void> {
  const first = agreed.failures[0];
  // Why the run ended early comes first: what failed afterwards, giving back memory say, follows from it.
  const error = end.early ?? (first && { code: first.code, message: first.message });
  if (end.hurried) run.manifest?.hurry();
  const finished = run.manifest?.finish({
    exitStatus: agreed.status,
    endedAt: new Date(),
    statusCounts: agreed.counts,
    ...(error ? { error } : {}),
    probes: probesOf(run),
    libraries: await librariesOf(run, end),
  });
  // v8 ignore next -- failing disk
  if (finished && !(await within(withinMs, finished))) throw new HangingFileError('manifest.json', withinMs);
  await finished;
}

/** After a signal, or where the worker thread is stuck, nothing is asked any more. */
async function librariesOf(run: Run, end: LoopEnd): Promise<ManifestEnd['libraries']> {
  const isAsked = !end.hurried && !end.worldLost && !run.addon.isWorkerBusy();
  return isAsked ? await run.libraries.versions(run.addon) : undefined;
}

function printOutcome(
  run: Run,
  status: number,
  end: LoopEnd,
  { failures, statusCounts }: { failures: readonly RunnerError[]; statusCounts: Agreed['counts'] },
): void {
  if (!end.hurried && run.report) printOut(run.report.table.render(run.report.terminal));
  for (const failure of failures) reportError(failure);
  if (end.early) reportError({ ...end.early, message: `the run ended early: ${end.early.message}` });
  const kept = run.numKept === 0 ? '' : ` and ${run.numKept} from before`;
  const count = `${counted(run.pending.length, 'point')}${kept}`;
  const word = status === EXIT.ok ? 'ok' : `exit ${status}`;
  printOut(
    `${word}${measuredNothing(statusCounts) ? ', but nothing was measured (all points were skipped)' : ''}: ${count} on ${counted(run.world.info.worldSize, 'rank')}, results in ${run.folder}`,
  );
}
