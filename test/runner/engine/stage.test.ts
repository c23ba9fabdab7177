/** How one stage ends on a rank: in time, late, by a peer, or not at all. */
import t from 'tap';
import { runStage, type LocalResult, type StageClock } from '../../../runner/engine/stage.js';
import { RunnerError, type ErrorCode } from '../../../runner/errors.js';
import type { NativeAddon, RankLiveness } from '../../../runner/native/types/index.js';
import type { World } from '../../../runner/world/world.js';

interface Place {
  /** Of rank 1, whose stage it is. */
  readonly awaitedPeer?: number;
  readonly iteration?: number;
  /** Its worker thread does not come back. */
  readonly isWorkerBusy?: boolean;
  readonly heldUpBy?: string;
}

async function run<T>(body: (clock: StageClock) => Promise<T>, place: Place = {}): Promise<LocalResult<T>> {
  const { awaitedPeer = -1, iteration = -1, isWorkerBusy = false, heldUpBy = null } = place;
  const own: Partial<RankLiveness> = { rank: 1, awaitedPeer, iteration };
  const world = {
    info: { rank: 1 },
    native: { setAbort: () => {}, report: () => {}, liveness: () => [{ rank: 0 }, own] },
  } as unknown as World;
  const addon = { isWorkerBusy: () => isWorkerBusy, heldUpBy: () => heldUpBy } as unknown as NativeAddon;
  const options = { stage: 'measure', point: 0, timeoutMs: 50, world, addon, stopStatus: () => 0 };
  return await runStage(options, body);
}

const never = (): Promise<never> => new Promise(() => {});
const untilAborted = ({ signal }: StageClock): Promise<string> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve('late')));

t.test(
  'a stage that ends in time has its value, and its error the status that its code asks for',
  async (t) => {
    t.match(await run(async () => 7), { verdict: { status: 'ok', rank: 1, step: 'measure' }, value: 7 });
    const failing = async (code: ErrorCode): Promise<unknown> =>
      (await run(() => Promise.reject(new RunnerError(code, 'why')))).verdict;
    t.match(await failing('E_JOB'), { status: 'failed', code: 'E_JOB', message: 'why', awaitedPeer: -1 });
    t.match(await failing('E_TIMEOUT'), { status: 'timeout' }, 'a wait of its own that passed its limit');
    t.match(await failing('E_UNSUPPORTED_HERE'), { status: 'skipped' });
    t.match(await failing('E_ABORTED'), { status: 'peer' }, 'before the deadline only a peer ends a wait');
  },
);

t.test(
  'a stage that comes back after its deadline is late, and keeps what it brought to be closed',
  async (t) => {
    const late = await run(untilAborted, { awaitedPeer: 0, iteration: 3 });
    const message =
      'measure passed its deadline of 0.05 s in iteration 3, waiting for rank 0: look at the row and log of rank 0';
    t.match(late, { verdict: { status: 'timeout', code: 'E_TIMEOUT', message }, value: 'late' });
    const alone = await run(untilAborted);
    t.match(alone.verdict, {
      message: /deadline of 0\.05 s; raise timeoutSeconds if the work takes longer$/,
    });
  },
);

t.test(
  'a stage that does not come back is given up; where its thread is stuck, the run cannot go on',
  async (t) => {
    const [given, held, waiting, stuck] = await Promise.all([
      run(never),
      run(never, { isWorkerBusy: true, heldUpBy: 'the NVIDIA driver' }),
      run(never, { isWorkerBusy: true, awaitedPeer: 3 }),
      run(never, { isWorkerBusy: true }),
    ]);
    t.match(given, { verdict: { status: 'timeout', code: 'E_TIMEOUT' }, value: undefined });
    const message = (verdict: LocalResult<never>['verdict']): string =>
      verdict.status === 'timeout' && verdict.code === 'E_STUCK' ? verdict.message : verdict.status;
    const begin = 'measure passed its deadline of 0.05 s and its thread did not come back';
    const end = '. Look at what it waits for, then start again with --resume';
    t.equal(message(held.verdict), `${begin}: it waits for the NVIDIA driver${end}`);
    t.equal(message(waiting.verdict), `${begin}, last waiting for rank 3${end}`);
    t.equal(message(stuck.verdict), `${begin}${end}`);
  },
);
