/** Which strategy a point runs: the one asked for, or with `auto` the one that a few calls show to be faster. */
import type { PointContext } from '../../../runner/job/context.js';
import { RunnerError } from '../../../runner/errors.js';
import type { NativeMoe } from '../../../runner/native/types/index.js';
import type { MoeSpec } from '../moe-spec.js';
import type { RoutingCounts } from '../bytes/routing-counts.js';
import type { Standing, Strategy } from './standing.js';
import { issuedBytesHigh } from './traffic.js';

const CLOSE_TIMEOUT_MS = 30_000;
/** Calls of each strategy; the first of them is not counted. */
const TRIAL = { warmup: 1, iterations: 3, freeRunning: false } as const;
/** More bytes than that no copy in one piece makes up for: its rate is at most that much above single rows. */
const MOST_EXCESS = 1.5;

interface Choice {
  readonly spec: MoeSpec;
  readonly context: PointContext;
  readonly counts: RoutingCounts;
  readonly standing: Standing;
  readonly open: (strategy: Strategy) => Promise<NativeMoe>;
}

/** Collective. By the bytes of both first; where they leave it open, by a few calls: allGather where every rank is faster. */
export async function chooseStrategy(choice: Choice): Promise<Strategy> {
  const { spec, context } = choice;
  if (spec.strategy !== 'auto') return spec.strategy;
  if (await context.onAnyRank('whether allGather moves too much', isExcessive(choice))) return 'sparse';
  const sparseUs = await trialUs(choice, 'sparse');
  const allGatherUs = await trialUs(choice, 'allGather');
  return (await context.onAnyRank('whether sparse is as fast', sparseUs <= allGatherUs))
    ? 'sparse'
    : 'allGather';
}

function isExcessive({ spec, counts, standing }: Choice): boolean {
  const crossing = (strategy: Strategy): number => {
    const { ipc, network } = issuedBytesHigh(spec, counts, standing, {
      operation: 'dispatch',
      strategy,
      isAgain: true,
    });
    return ipc + network;
  };
  return crossing('allGather') > MOST_EXCESS * crossing('sparse');
}

/** Dispatch and combine together, the fastest of a few: what disturbs one call says nothing of the strategy. */
async function trialUs({ open }: Choice, strategy: Strategy): Promise<number> {
  const native = await open(strategy);
  let isTogether = false;
  try {
    const { phases, stopped } = await native.measure(TRIAL);
    isTogether = true;
    if (stopped)
      throw new RunnerError('E_ABORTED', 'strategy auto: the run was told to stop during the trial');
    const times = phases.filter((phase) => phase.timing === phases[0]?.timing);
    return times.reduce((sum, { timesUs }) => sum + Math.min(...timesUs), 0);
  } finally {
    await native.close(isTogether, CLOSE_TIMEOUT_MS);
  }
}
