/** A process that loads the addon in an unusual way: node addon-process.js SCENARIO. Says what it saw as JSON. */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, Worker } from 'node:worker_threads';
import { addon, nativeFolder } from '../../runner/native/binding.js';

type Answer = string;

function codeOf(call: Promise<unknown>): Promise<Answer> {
  return call.then(
    () => 'resolved',
    (error: unknown) => String((error as { code?: unknown }).code),
  );
}

/** Every call of a world that is down, each with its answer. */
async function afterFinalize(): Promise<Record<string, Answer>> {
  process.env['UCX_MEM_EVENTS'] = 'no';
  const world = await addon().openWorld({
    pluginPath: join(nativeFolder(), 'railrunner_mpi_openmpi.so'),
    ranksPerNode: 0,
    timeoutMs: 60_000,
    peerTimeoutMs: 60_000,
    remotePeerTimeoutMs: 60_000,
  });
  await world.finalize(60_000);
  const bytes = Buffer.from('x');
  return {
    broadcast: await codeOf(world.broadcast(bytes, 0, 1000)),
    allgather: await codeOf(world.allgather(bytes, 1000)),
    gather: await codeOf(world.gather(bytes, 0, 1000)),
    alltoall: await codeOf(world.alltoall([bytes], 1000)),
    barrier: await codeOf(world.barrier(1000)),
    renew: await codeOf(world.renew(1000)),
    finalize: await codeOf(world.finalize(1000)),
  };
}

/** The addon in this thread and in a worker; `first` loads it first. */
async function inAWorkerToo(first: 'main' | 'worker'): Promise<Record<string, Answer>> {
  const load = (): Answer => {
    try {
      return typeof addon().buildInfo().version === 'string' ? 'loaded' : 'nothing';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const inWorker = (): Promise<Answer> =>
    new Promise((resolve) => {
      const worker = new Worker(new URL(import.meta.url));
      worker.once('error', (error) => resolve((error as Error).message));
      worker.once('exit', () => resolve('loaded'));
    });
  if (first === 'main') return { main: load(), worker: await inWorker() };
  const worker = await inWorker();
  return { worker, main: load() };
}

if (isMainThread) {
  const scenario = process.argv[2];
  const said =
    scenario === 'afterFinalize'
      ? await afterFinalize()
      : await inAWorkerToo(scenario === 'workerFirst' ? 'worker' : 'main');
  writeSync(1, `${JSON.stringify(said)}\n`);
} else {
  addon();
}
