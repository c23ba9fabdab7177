/** A clock outside MPI: the control thread keeps the deadlines of its calls itself, except inside one of them. */
import { RunnerError } from '../errors.js';
import type { NativeWorld } from '../native/types/index.js';

/** What the control thread's own deadline gets first: it knows more about the reason. */
const GRACE_MS = 2000;

/** An MPI call of this rank does not return: nothing can be asked of the control thread any more. */
export class MpiStuck extends RunnerError {
  constructor(rank: number, call: string, seconds: number) {
    super(
      'E_STUCK',
      `rank ${rank} has been inside a call of MPI since ${call} was asked for; its deadline passed ${seconds} s ago. ` +
        `Look at this rank's host and at its links to the others: MPI waits there without giving control back.`,
    );
  }
}

/**
 * Makes the collective calls of a world end in any case: with MpiStuck where the control thread answers nothing by the
 * call's deadline and a grace. Open MPI 4.1 over tcp blocks so below MPI_Test when a connection stalls.
 */
export function watchControlThread(native: NativeWorld): void {
  const { rank } = native.info;
  const ending = async <T>(call: string, timeoutMs: number, answer: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const stuck = new Promise<never>((_, reject) => {
      const limitMs = Math.max(0, timeoutMs) + GRACE_MS;
      timer = setTimeout(() => reject(new MpiStuck(rank, call, GRACE_MS / 1000)), limitMs);
    });
    try {
      return await Promise.race([answer, stuck]);
    } finally {
      clearTimeout(timer);
    }
  };
  const broadcast = native.broadcast.bind(native);
  const allgather = native.allgather.bind(native);
  const gather = native.gather.bind(native);
  const alltoall = native.alltoall.bind(native);
  const barrier = native.barrier.bind(native);
  const renew = native.renew.bind(native);
  const watched: Partial<NativeWorld> = {
    broadcast: (data, root, ms) => ending('a broadcast', ms, broadcast(data, root, ms)),
    allgather: (data, ms) => ending('an allgather', ms, allgather(data, ms)),
    gather: (data, root, ms) => ending('a gather', ms, gather(data, root, ms)),
    alltoall: (data, ms) => ending('an alltoall', ms, alltoall(data, ms)),
    barrier: (ms) => ending('a barrier', ms, barrier(ms)),
    renew: (ms) => ending('a renewal', ms, renew(ms)),
  };
  // The same object: native calls that take the world know it by its tag.
  Object.assign(native, watched);
}
