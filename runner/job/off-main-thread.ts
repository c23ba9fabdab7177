/**
 * Long computations off Node's main thread, which must keep running: it handles signals and deadlines and talks to the
 * other ranks. A thread takes about 50 ms to start, so short work is better done in place.
 */
import { parentPort, Worker, workerData, type TransferListItem } from 'node:worker_threads';
import { codeOf, knownCode, messageOf, RunnerError, toRunnerError } from '../errors.js';

type Answer<T> =
  { readonly value: T } | { readonly code: string; readonly message: string; readonly stack: string };

export interface OffMainThreadOptions {
  /** Ends the thread: the promise is rejected with E_ABORTED. */
  readonly signal: AbortSignal;
  /** Memory of the request that goes over to the thread instead of being copied. */
  readonly transfer?: readonly TransferListItem[];
}

/**
 * Runs `module`, which calls `answerOffMainThread`, in a thread of its own and resolves to its answer. Errors keep their
 * code. E_ALLOCATION: the thread could not be started, or ran out of memory.
 */
export async function offMainThread<T>(
  module: URL,
  request: unknown,
  { signal, transfer = [] }: OffMainThreadOptions,
): Promise<T> {
  const aborted = new RunnerError('E_ABORTED', 'a computation was ended with the stage that it was for');
  if (signal.aborted) throw aborted;
  // Options of Node and preloaded modules are for the main thread.
  const worker = new Worker(module, { workerData: request, transferList: [...transfer], execArgv: [] });
  const answered = new AbortController();
  try {
    const answer = await new Promise<Answer<T>>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(aborted), { signal: answered.signal });
      worker.once('message', resolve);
      worker.once('error', (error) => reject(ofThread(error)));
      worker.once('exit', (status) => {
        reject(
          new RunnerError(
            'E_INTERNAL',
            `the thread of ${module.href} ended with ${status}, without an answer`,
          ),
        );
      });
    });
    if ('value' in answer) return answer.value;
    const code = knownCode(answer.code, 'E_INTERNAL');
    throw Object.assign(new RunnerError(code, answer.message), { stack: answer.stack });
  } finally {
    answered.abort();
    worker.removeAllListeners();
    // A thread that is ended in the middle of its work says so; nobody listens any more.
    worker.on('error', /* v8 ignore next -- killed */ () => {});
    void worker.terminate();
  }
}

function ofThread(error: unknown): RunnerError {
  const code = codeOf(error);
  if (code === 'ERR_WORKER_INIT_FAILED' || code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const remedy =
      'raise the limits of processes (ulimit -u, pids.max) or of memory, or make the point smaller';
    return new RunnerError('E_ALLOCATION', `a thread for a long computation: ${messageOf(error)}: ${remedy}`);
  }
  return toRunnerError(error);
}

/** The other side: answers the one request of this thread. */
export function answerOffMainThread<Request>(answer: (request: Request) => unknown): void {
  if (parentPort === null) throw new Error('this module runs in a thread that offMainThread starts');
  try {
    // offMainThread handed it over, with the type that the two sides of `module` share.
    parentPort.postMessage({ value: answer(workerData as Request) } satisfies Answer<unknown>, []);
  } catch (error) {
    const { code, message, stack = '' } = toRunnerError(error);
    parentPort.postMessage({ code, message, stack } satisfies Answer<unknown>, []);
  }
}
