/** Starts the run of a fault case and gives its strike the handles that it needs. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectRoot } from '../../runner/project.js';
import { mpirunLine, type Mpi } from '../helpers/mpirun.js';
import { pidOfRank } from '../helpers/rank-process.js';
import { railrunner, start } from '../helpers/run-cli.js';
import { SMALL_LAYOUT } from '../helpers/small-spec.js';
import type { FaultCase, Rig, Workload } from './fault.js';

/** Bounds a hang; a loaded machine may take long to start four processes. */
const RUN_LIMIT_MS = 240_000;
const WAIT_LIMIT_MS = 120_000;

const JOB = {
  kind: 'offload',
  from: 'device',
  to: 'host',
  layout: SMALL_LAYOUT,
  pools: { deviceBlocks: 8, hostBlocks: 8 },
  blocks: 4,
};
/** More samples than any test waits for. */
const ENDLESS = 1_000_000;

/** Eight billion draws: no machine routes these tokens before a signal or a deadline of seconds. */
const ROUTED = {
  kind: 'dispatchCombine',
  hidden: 1,
  numTopk: 8,
  numExperts: 65_536,
  numTokens: 60_000,
  maxDispatchTokensPerRank: 60_000,
  outputLayout: 'rankMajor',
};

interface Load {
  readonly points: number;
  readonly jobs: readonly Record<string, unknown>[];
  readonly timeoutSeconds?: number;
}

const LOADS: Readonly<Record<Workload, Load>> = {
  short: { points: 3, jobs: [{ id: 'down', ...JOB, sweep: { seed: [1, 2, 3] } }] },
  sweep: {
    points: 200,
    jobs: [{ id: 'down', ...JOB, sweep: { seed: Array.from({ length: 200 }, (_, seed) => seed) } }],
  },
  long: {
    points: 4,
    jobs: [
      { id: 'first', ...JOB },
      { id: 'long', ...JOB, iterations: ENDLESS, blocks: 8, pools: { deviceBlocks: 64, hostBlocks: 64 } },
      { id: 'never', ...JOB, sweep: { seed: [1, 2] } },
    ],
  },
  routing: {
    points: 3,
    jobs: [
      { id: 'first', ...JOB },
      { id: 'routed', ...ROUTED },
      { id: 'never', ...JOB },
    ],
  },
  slowRouting: { points: 1, timeoutSeconds: 3, jobs: [{ id: 'routed', ...ROUTED }] },
  slow: {
    points: 2,
    timeoutSeconds: 3,
    jobs: [
      { id: 'slow', ...JOB, iterations: ENDLESS },
      { id: 'next', ...JOB },
    ],
  },
};

export function pointsOf(workload: Workload): number {
  return LOADS[workload].points;
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_LIMIT_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`${what}: not seen within ${WAIT_LIMIT_MS / 1000} s`);
    await sleep(20);
  }
}

function writeSpec(folder: string, workload: Workload): string {
  const { jobs, timeoutSeconds = 600 } = LOADS[workload];
  const iterations = workload === 'sweep' ? 200 : 5;
  const defaults = { warmup: 1, iterations, timeoutSeconds, probe: false };
  const path = join(folder, 'spec.json');
  writeFileSync(path, JSON.stringify({ name: workload, device: 'host', defaults, jobs }));
  return path;
}

function lineOf(fault: FaultCase, mpi: Mpi, runWords: readonly string[]): string[] {
  const ranks = fault.ranks ?? 2;
  const own = [process.execPath, railrunner, 'run', ...runWords];
  if (fault.startedBy === 'launch') {
    return [process.execPath, railrunner, 'launch', '--mpi', mpi, '-n', String(ranks), ...runWords];
  }
  if (fault.startedBy === 'alone') return own;
  const onRank = fault.onRank
    ? ['sh', '-c', `RANK=\${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; ${fault.onRank}`, 'sh']
    : [];
  const [launcher, args] = mpirunLine({ mpi, ranks }, [...onRank, ...own]);
  return [launcher, ...args];
}

export function startRig(fault: FaultCase, mpi: Mpi, scratch: string): Rig {
  const out = join(scratch, 'out');
  mkdirSync(out, { recursive: true });
  const folder = join(out, 'x');
  const words = [writeSpec(scratch, fault.workload), '--out', out, '--run-id', 'x', ...(fault.runArgs ?? [])];
  const [command = '', ...args] = [...(fault.wrap ?? []), ...lineOf(fault, mpi, words)];
  const running = start(command, args, {
    timeoutMs: RUN_LIMIT_MS,
    cwd: scratch,
    env: { SCRATCH: scratch, ROOT: projectRoot, TMPDIR: scratch, ...fault.env },
  });
  const ranks = fault.startedBy === 'alone' ? 1 : (fault.ranks ?? 2);
  const pid = running.child.pid ?? 0;
  let isOver = false;
  void running.finished.then(() => (isOver = true));
  return {
    mpi,
    running,
    out,
    folder,
    ranks,
    untilRows: (points) =>
      until(`rows of ${points} points`, () => {
        if (isOver) throw new Error('the run ended before its fault came');
        return rowCounts(folder, ranks).every((rows) => rows > points);
      }),
    pidOf: (rank) => pidOfRank(folder, rank),
    signal: (signal) => void process.kill(pid, signal),
    signalGroup: (signal) => void process.kill(-pid, signal),
  };
}

/** Lines are counted instead of parsed: the ranks are still writing, and half a row is none. */
function rowCounts(folder: string, ranks: number): number[] {
  return Array.from({ length: ranks }, (_, rank) => {
    const path = join(folder, `rank-${String(rank).padStart(4, '0')}.csv`);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
  });
}

/** Processes that carry `word` in their command line. */
export function processesWith(word: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
