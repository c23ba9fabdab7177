/**
 * One rank of the tests of the world: node world-rank.js SCENARIO OPTIONS_JSON. What it finds goes to stdout as JSON, or
 * to a file of its own in the folder `sayIn` of the options: launchers tear the lines of ranks that speak at once.
 */
import { appendFileSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgreementLost, exchange } from '../../runner/world/agreement.js';
import { onAllRanks } from '../../runner/world/on-all-ranks.js';
import { chooseDevice } from '../../runner/world/device.js';
import { compareVersions, ownVersions } from '../../runner/world/versions.js';
import { openWorld, type MpiWorld, type OpenWorldOptions } from '../../runner/world/world.js';
import { toRunnerError, type RunnerError } from '../../runner/errors.js';
import { addon } from '../../runner/native/binding.js';

const LIMIT_MS = 20_000;

let ownFile = `process-${process.pid}`;

function say(value: unknown): void {
  const line = `${JSON.stringify(value)}\n`;
  if (options.sayIn === undefined) writeSync(1, line);
  else appendFileSync(join(options.sayIn, ownFile), line);
}

function blockMainThread(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Every collective with contents that depend on the rank; sizes below and above what one message carries. */
async function collectives(world: MpiWorld): Promise<void> {
  const { rank, worldSize } = world.info;
  const wrong: string[] = [];
  for (const size of [0, 1, 248, 249, 1016, 1017, 300_000]) {
    const of = (index: number): Buffer => Buffer.alloc(size + (size > 0 ? index : 0), `${index}/${size}`);
    const root = size % worldSize;
    const cast = await world.native.broadcast(rank === root ? of(root) : null, root, LIMIT_MS);
    if (!cast.equals(of(root))) wrong.push(`broadcast ${size}`);
    const all = await world.native.allgather(of(rank), LIMIT_MS);
    if (!all.every((part, peer) => part.equals(of(peer)))) wrong.push(`allgather ${size}`);
    const gathered = await world.native.gather(of(rank), root, LIMIT_MS);
    const isRight =
      rank === root ? gathered?.every((part, peer) => part.equals(of(peer))) : gathered === null;
    if (!isRight) wrong.push(`gather ${size}`);
    const parts = Array.from({ length: worldSize }, (_, peer) => Buffer.concat([of(rank), of(peer)]));
    const exchanged = await world.native.alltoall(parts, LIMIT_MS);
    if (!exchanged.every((part, peer) => part.equals(Buffer.concat([of(peer), of(rank)])))) {
      wrong.push(`alltoall ${size}`);
    }
  }
  await world.native.barrier(LIMIT_MS);
  const heavy = await world.broadcastJson(rank === 0 ? { text: 'ü'.repeat(5000) } : undefined, 0, LIMIT_MS);
  if (heavy.text.length !== 5000) wrong.push('JSON');
  await compareVersions(world, ownVersions(world, addon()), LIMIT_MS);
  const votes = await world.allgatherJson({ info: world.info, wrong }, LIMIT_MS);
  if (rank === 0) say(votes);
}

async function failures(world: MpiWorld): Promise<void> {
  const { rank } = world.info;
  const options = { timeoutMs: LIMIT_MS, stage: 'prepare', point: 2 };
  const fill = (): void => {
    if (rank === 1) throw Object.assign(new Error('disk is full'), { code: 'E_IO' });
  };
  const errorOf = (step: string, body: () => void): Promise<RunnerError | undefined> =>
    onAllRanks(world, step, body, options).then(
      () => undefined,
      (error: unknown) => toRunnerError(error),
    );
  const agreed = await errorOf('prepare', fill);
  const after = await errorOf('measure', () => {});
  say({ rank, code: agreed?.code, message: agreed?.message, after: after?.message ?? null });
}

/** Until rank 0 has heard that rank 2 is in the stage and all others wait at its end. */
async function untilOthersWait(world: MpiWorld): Promise<void> {
  const stages = (): boolean =>
    world.native
      .liveness()
      .slice(1)
      .every(({ rank, stage }) => stage === (rank === 2 ? 'measure' : 'measure (waits)'));
  for (const endsAt = performance.now() + LIMIT_MS; !stages() && performance.now() < endsAt;) await sleep(20);
}

/** Rank 2 never reaches the agreement; its process lives. Rank 0 comes last, so that it misses only rank 2. */
async function absence(world: MpiWorld): Promise<never> {
  const { rank } = world.info;
  world.native.report('measure', 4);
  if (rank === 2) await sleep(10 * LIMIT_MS);
  if (rank === 0) await untilOthersWait(world);
  const timeoutMs = rank === 0 ? 1500 : 3 * LIMIT_MS;
  const options = { timeoutMs, stage: 'measure', point: 4 };
  const lost = await exchange(world, 'measure', rank, options).catch((error: unknown) => error);
  if (lost instanceof AgreementLost && rank === 0) {
    const { code, message, missing } = lost;
    const later = toRunnerError(await world.native.barrier(1000).catch((error: unknown) => error));
    say({ code, message, missing, later: later.code });
    world.native.abort(4);
  }
  await sleep(10 * LIMIT_MS);
  throw new Error('rank 0 should have ended all');
}

/** The main thread of rank 1 hangs for longer than the peer time-out: its heartbeats go on. */
async function hungMainThread(world: MpiWorld): Promise<void> {
  if (world.info.rank === 1) {
    world.native.report('stuck', 7);
    blockMainThread(4500);
  } else {
    await sleep(4000);
    if (world.info.rank === 0) say(world.native.liveness()[1]);
  }
  await world.native.barrier(LIMIT_MS);
}

/** Signals that this process catches, as the kernel sees it. */
function caughtSignals(): string | undefined {
  return /^SigCgt:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
}

let onUserSignal = (): void => undefined;

/** Open MPI catches SIGSEGV and others, MPICH SIGUSR1, which schedulers send: the handlers must stay Node's. */
async function signal(world: MpiWorld): Promise<void> {
  const caught = caughtSignals();
  const heard = await new Promise((resolve) => {
    const limit = setTimeout(resolve, LIMIT_MS, false);
    onUserSignal = (): void => {
      clearTimeout(limit);
      resolve(true);
    };
    process.kill(process.pid, 'SIGUSR1');
  });
  if (world.info.rank === 0) say({ heard, isSame: caught === caughtWithHandler });
}

/** Rank 1 dies; the others say who it was, as fast as the launcher lets them. */
async function death(world: MpiWorld): Promise<never> {
  const { rank } = world.info;
  await world.native.barrier(LIMIT_MS);
  if (rank === 1) process.kill(process.pid, 'SIGKILL');
  const started = performance.now();
  const error = toRunnerError(await world.native.barrier(LIMIT_MS).catch((reason: unknown) => reason));
  say({ rank, code: error.code, message: error.message, ms: performance.now() - started });
  return addon().exitNow(4);
}

async function device(world: MpiWorld): Promise<void> {
  const chosen = await chooseDevice(world, addon(), {
    request: 'auto',
    allowSharedDevice: false,
    timeoutMs: LIMIT_MS,
  });
  const kinds = await world.allgatherJson(chosen.properties.kind, LIMIT_MS);
  if (world.info.rank === 0) say(kinds);
  await chosen.native.close();
}

const scenarios: Readonly<Record<string, (world: MpiWorld) => Promise<void>>> = {
  collectives,
  failures,
  absence,
  hungMainThread,
  signal,
  death,
  device,
};

const [, , name = '', optionsText = '{}'] = process.argv;
const scenario = scenarios[name];
if (!scenario) throw new Error(`no scenario "${name}"`);
const options = JSON.parse(optionsText) as Partial<OpenWorldOptions> & { readonly sayIn?: string };
process.on('SIGUSR1', () => onUserSignal()); // before MPI is there, as the command does
const caughtWithHandler = caughtSignals();
try {
  const world = await openWorld({ ranksPerNode: 0, timeoutMs: LIMIT_MS, ...options });
  ownFile = `rank-${world.info.rank}`;
  await scenario(world);
  await world.native.finalize(LIMIT_MS);
} catch (error) {
  const { code, message, exitStatus } = toRunnerError(error);
  say({ code, message });
  process.exitCode = exitStatus;
}
