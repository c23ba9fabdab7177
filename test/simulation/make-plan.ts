/** Draws the plan of a seed. */
import { itemAt, oneOf } from '../../runner/values/items.js';
import {
  STAGES,
  type Plan,
  type PlannedJob,
  type PlannedPoint,
  type PlannedStep,
  type Role,
  type Stage,
  type StartTrouble,
  type StepKind,
  type Trouble,
  type TroubleKind,
} from './plan.js';
import { Random } from './random.js';

const STEP_KINDS: readonly StepKind[] = [
  'wait',
  'work',
  'allgather',
  'barrier',
  'agreement',
  'question',
  'broadcast',
];

function stepsOf(random: Random): Record<Stage, PlannedStep[]> {
  const steps = (kinds: readonly StepKind[]): PlannedStep[] =>
    Array.from({ length: random.below(4) }, () => ({ kind: random.pick(kinds), ms: random.time(0, 3) }));
  const [prepare, measure, verify] = [steps(STEP_KINDS), steps(STEP_KINDS), steps(STEP_KINDS)];
  // A rank whose `prepare` failed has nothing to close, so that ranks cannot meet there.
  return { prepare, measure, verify, close: steps(['wait', 'work']) };
}

function jobsOf(random: Random): PlannedJob[] {
  return Array.from({ length: random.between(1, 3) }, (_, at) => ({
    id: `job${at}`,
    kind: random.pick(['first', 'second']),
    numPoints: random.chance(3) ? random.between(60, 120) : random.between(1, 3),
    timeoutSeconds: random.between(1, 4),
    iterations: random.between(1, 10),
    warmup: random.below(3),
    saveSamples: random.chance(20),
    stops: random.chance(15),
    keepsResource: random.chance(50),
  }));
}

function pointsOf(random: Random, jobs: readonly PlannedJob[], worldSize: number): PlannedPoint[] {
  return jobs.flatMap(({ numPoints }, job) =>
    Array.from({ length: numPoints }, () => ({
      job,
      steps: stepsOf(random),
      roles: Array.from({ length: random.between(1, 2) }, (_, phase) =>
        Array.from({ length: worldSize }, (_, rank): Role => {
          // Somebody measures, or the point would be skipped as a whole.
          if (rank === 0 && phase === 0) return 'measured';
          return random.chance(85) ? 'measured' : random.pick(['idle', 'skipped']);
        }),
      ),
      iterationMs: random.time(0.01, 3),
    })),
  );
}

const ANYWHERE: readonly TroubleKind[] = ['fails', 'fails', 'skips', 'sticky', 'hangs', 'sticks', 'waits'];
const ELSEWHERE: readonly [TroubleKind, Stage][] = [
  ['slow', 'measure'],
  ['column', 'measure'],
  ['nothing', 'measure'],
  ['wrong', 'verify'],
  ['unverified', 'verify'],
  ['closeFails', 'prepare'],
  ['closeHangs', 'prepare'],
];

function troubleOf(random: Random, points: readonly PlannedPoint[], worldSize: number): Trouble {
  const point = random.below(points.length);
  const [kind, stage] = random.chance(60)
    ? ([random.pick(ANYWHERE), random.pick(STAGES)] as const)
    : random.pick(ELSEWHERE);
  const { steps } = itemAt(points, point);
  const step = random.below(steps[stage].length + 1);
  return {
    kind,
    rank: random.below(worldSize),
    point,
    stage,
    step,
    sample: random.below(4),
    isNative: random.chance(60),
  };
}

function secondOf(random: Random, { point, stage }: Trouble, worldSize: number): Trouble | undefined {
  const kind = random.pick<TroubleKind>(['fails', 'sticky', 'hangs', 'sticks']);
  if (stage === 'close') return undefined;
  const isNative = random.chance(60);
  return { kind, rank: random.below(worldSize), point, stage: 'close', step: 0, sample: 0, isNative };
}

function fileOf(random: Random, worldSize: number): Plan['file'] {
  const rank = random.below(worldSize);
  const file = random.pick([
    `rank-000${rank}.csv`,
    `rank-000${rank}.csv`,
    `rank-000${rank}.log`,
    ...(rank === 0 ? ['summary.csv', 'manifest.json.next', 'manifest.json'] : []),
  ]);
  const fromMs = random.chance(70) ? random.time(50, 400) : random.time(0, 3000);
  const untilMs = random.chance(50) ? Infinity : fromMs + random.time(1, random.chance(50) ? 200 : 40_000);
  return { rank, file, kind: random.chance(60) ? 'full' : 'hangs', fromMs, untilMs };
}

export function makePlan(seed: number): Plan {
  const random = new Random(seed, 'plan');
  const worldSize = random.chance(15) ? random.between(5, 9) : random.between(2, 4);
  const numHosts = random.between(1, Math.min(worldSize, 3));
  const hosts = Array.from({ length: worldSize }, (_, rank) => Math.floor((rank * numHosts) / worldSize));
  const jobs = jobsOf(random);
  const points = pointsOf(random, jobs, worldSize);
  const anyRank = (): number => random.below(worldSize);
  const anyMs = (): number => random.time(0, random.chance(70) ? 400 : 6000);
  const trouble = random.chance(45) ? troubleOf(random, points, worldSize) : undefined;
  const second = trouble && random.chance(15) ? secondOf(random, trouble, worldSize) : undefined;
  const event = random.below(100);
  const isForAll = random.chance(60);
  return {
    seed,
    hosts,
    ranksPerNode: random.chance(30) ? random.between(1, 4) : 0,
    launcher: random.pick(['srun', 'srun', 'openmpi', 'mpich']),
    jobs,
    points,
    ...(trouble ? { trouble } : {}),
    ...(second ? { second } : {}),
    ...(random.chance(6) ? { start: { kind: random.pick(START_TROUBLES), rank: anyRank() } } : {}),
    ...(random.chance(12) ? { file: fileOf(random, worldSize) as NonNullable<Plan['file']> } : {}),
    ...(event < 15 ? { crash: { rank: anyRank(), atMs: anyMs() } } : {}),
    ...(event >= 15 && event < 25
      ? { freeze: { rank: anyRank(), atMs: anyMs(), forMs: random.time(1, 1500) } }
      : {}),
    ...(event >= 25 && event < 45
      ? {
          signal: {
            signal: random.pick(['SIGINT', 'SIGTERM', 'SIGTERM', 'SIGUSR1'] as const),
            ranks: isForAll ? hosts.map((_, rank) => rank) : [anyRank()],
            atMs: anyMs(),
            ...(isForAll && random.chance(70) ? { killsAfterMs: 1000 } : {}),
          },
        }
      : {}),
  };
}

const START_TROUBLES: readonly StartTrouble[] = ['need', 'device', 'lock', 'folder', 'version', 'rows'];

/** One point on two ranks of a host, as the C++ simulator's --calls has it. */
export function planOfCalls(trouble: string): Plan {
  const kind = oneOf(['none', 'fails', 'hangs', 'sticks'], trouble);
  const place = { rank: 1, point: 0, stage: 'measure', step: 0, sample: 1, isNative: true } as const;
  const roles = [['measured', 'measured']] as const;
  const job = {
    id: 'job0',
    kind: 'first',
    numPoints: 1,
    timeoutSeconds: 3,
    iterations: 3,
    warmup: 0,
  } as const;
  return {
    seed: 1,
    hosts: [0, 0],
    ranksPerNode: 0,
    launcher: 'srun',
    jobs: [{ ...job, saveSamples: false, stops: false, keepsResource: false }],
    points: [
      { job: 0, steps: { prepare: [], measure: [], verify: [], close: [] }, roles, iterationMs: 0.01 },
    ],
    ...(kind === 'none' ? {} : { trouble: { kind, ...place } }),
  };
}
