/** The world of ranks as TypeScript sees it: the native control plane plus JSON in both directions. */
import { join } from 'node:path';
import { ADDON_FILE, addon, nativeFolder } from '../native/binding.js';
import type { NativeWorld, WorldInfo } from '../native/types/index.js';
import { RunnerError, toRunnerError } from '../errors.js';
import { buildDigests, type BuildDigests } from './build-digest.js';
import { silenceMs } from './deadlines.js';
import { watchControlThread } from './watch.js';
import {
  disableUcxHooks,
  readEnvironment,
  ucxVariables,
  unsetVariables,
  VARIABLES,
} from '../environment/variables.js';
import { readProcessFacts } from '../environment/ancestors.js';
import { foreignVariables } from '../environment/launcher-variables.js';
import {
  checkLauncherSize,
  choosePlugin,
  detectLauncher,
  pluginFile,
  refuseContradiction,
  type Launcher,
  type MpiName,
} from '../environment/launcher.js';
import { decodeMessage, encodeMessage } from '../values/rank-message.js';

export interface World {
  readonly info: WorldInfo;
  readonly native: NativeWorld;
  /** What this rank's program is. */
  readonly build: BuildDigests;
  /** Every rank's value, by rank. Collective. */
  allgatherJson<T>(value: T, timeoutMs: number): Promise<T[]>;
  /** The root's value on every rank. Collective; other ranks pass undefined. */
  broadcastJson<T>(value: T | undefined, root: number, timeoutMs: number): Promise<T>;
}

export interface OpenWorldOptions {
  /** Cuts a host's ranks into emulated nodes; 0 = nodes are hosts. */
  readonly ranksPerNode: number;
  readonly timeoutMs: number;
  /** Instead of the MPI that the launcher speaks. */
  readonly mpi?: MpiName;
}

export class MpiWorld implements World {
  readonly info: WorldInfo;
  readonly native: NativeWorld;
  readonly launcher: Launcher;
  readonly build: BuildDigests;

  constructor(native: NativeWorld, launcher: Launcher, build: BuildDigests) {
    watchControlThread(native);
    this.native = native;
    this.info = native.info;
    this.launcher = launcher;
    this.build = build;
  }

  async allgatherJson<T>(value: T, timeoutMs: number): Promise<T[]> {
    const parts = await this.native.allgather(encodeMessage(value), timeoutMs);
    return parts.map((part, rank) => decodeMessage<T>(part, rank));
  }

  async broadcastJson<T>(value: T | undefined, root: number, timeoutMs: number): Promise<T> {
    const own = this.info.rank === root ? encodeMessage(value) : null;
    return decodeMessage<T>(await this.native.broadcast(own, root, timeoutMs), root);
  }
}

/** Who started this process; good before and without MPI. */
export function currentLauncher(): Launcher {
  return detectLauncher(readEnvironment().variables, readProcessFacts());
}

/**
 * Opens MPI and forms the world; once per process. Throws E_MPI_MISSING, E_ADDON_MISSING, E_LAUNCHER_MISMATCH (the world
 * is finalized before that), E_TIMEOUT where not all ranks came.
 */
export async function openWorld(options: OpenWorldOptions): Promise<MpiWorld> {
  disableUcxHooks();
  const { variables } = readEnvironment();
  const silence = silenceMs();
  const launcher = currentLauncher();
  refuseContradiction(launcher);
  unsetVariables(foreignVariables(variables, launcher));
  const native = addon();
  native.setUcxVariables(ucxVariables(variables));
  const folder = nativeFolder();
  const plugin = options.mpi
    ? { mpi: options.mpi, path: pluginFile(folder, options.mpi) }
    : choosePlugin(launcher, folder);
  let world: NativeWorld;
  let build: BuildDigests;
  try {
    const opening = native.openWorld({
      pluginPath: plugin.path,
      ranksPerNode: options.ranksPerNode,
      timeoutMs: options.timeoutMs,
      peerTimeoutMs: silence.here,
      remotePeerTimeoutMs: silence.remote,
    });
    // MPI_Init runs on a thread of its own: this costs no time.
    build = buildDigests([join(folder, ADDON_FILE), plugin.path]);
    world = await opening;
  } catch (error) {
    throw withPatience(toRunnerError(error, 'E_WORLD_LOST'), options.timeoutMs);
  }
  try {
    checkLauncherSize(launcher, plugin.mpi, world.info.worldSize);
  } catch (error) {
    await world.finalize(options.timeoutMs);
    throw error;
  }
  return new MpiWorld(world, launcher, build);
}

/** MPI_Init takes minutes where a core has a hundred ranks: nothing is wrong with any of them. */
function withPatience(failure: RunnerError, timeoutMs: number): RunnerError {
  /* v8 ignore next -- lost ranks */
  if (failure.code !== 'E_TIMEOUT') return failure;
  const hint = `Where ranks are many more than cores, set ${VARIABLES.worldTimeoutSeconds.name} to more than ${timeoutMs / 1000}.`;
  return new RunnerError(failure.code, `${failure.message} ${hint}`, { cause: failure });
}
