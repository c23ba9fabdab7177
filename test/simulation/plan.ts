/** What a seed makes: a world, the points of its run, and what goes wrong. */
import type { FileFault } from './rank-context.js';

export const STAGES = ['prepare', 'measure', 'verify', 'close'] as const;
export type Stage = (typeof STAGES)[number];

/** What all ranks do in a stage, one after the other. `measure` takes its samples behind its steps. */
export type StepKind = 'wait' | 'work' | 'allgather' | 'barrier' | 'agreement' | 'question' | 'broadcast';

export interface PlannedStep {
  readonly kind: StepKind;
  readonly ms: number;
}

/** Whether ranks agree in it on how it went, with the engine's own means. */
export const isAgreed = (step: PlannedStep | undefined): boolean =>
  step?.kind === 'agreement' || step?.kind === 'broadcast';

export type Role = 'measured' | 'idle' | 'skipped';

export interface PlannedJob {
  readonly id: string;
  /** Kinds of two words free each other's resources between jobs. */
  readonly kind: 'first' | 'second';
  readonly numPoints: number;
  readonly timeoutSeconds: number;
  readonly iterations: number;
  readonly warmup: number;
  readonly saveSamples: boolean;
  readonly stops: boolean;
  readonly keepsResource: boolean;
}

export interface PlannedPoint {
  readonly job: number;
  readonly steps: Readonly<Record<Stage, readonly PlannedStep[]>>;
  /** By phase and rank. */
  readonly roles: readonly (readonly Role[])[];
  readonly iterationMs: number;
}

export type TroubleKind =
  | 'fails' // throws, in native code or in TypeScript
  | 'skips' // says that this machine cannot do it
  | 'sticky' // throws what ends the run
  | 'hangs' // comes back when it is told to stop
  | 'sticks' // never comes back, and holds the worker thread
  | 'waits' // never comes back, and holds no thread
  | 'slow' // goes on beyond the deadline, sample by sample
  | 'column' // fills a column that its kind does not have
  | 'wrong' // verification finds wrong words
  | 'unverified' // verification says nothing
  | 'nothing' // measure gives no measurement
  | 'closeFails' // freeing what a job kept fails
  | 'closeHangs'; // and never comes back

export interface Trouble {
  readonly kind: TroubleKind;
  readonly rank: number;
  readonly point: number;
  readonly stage: Stage;
  /** Of the stage's steps; one more is behind them, in `measure` in the samples. */
  readonly step: number;
  readonly sample: number;
  readonly isNative: boolean;
}

/** Something that fails on one rank before the first point. */
export type StartTrouble = 'need' | 'device' | 'lock' | 'folder' | 'version' | 'rows';

export interface Plan {
  readonly seed: number;
  readonly hosts: readonly number[];
  readonly ranksPerNode: number;
  readonly launcher: 'srun' | 'openmpi' | 'mpich';
  readonly jobs: readonly PlannedJob[];
  readonly points: readonly PlannedPoint[];
  readonly trouble?: Trouble;
  /** In `close` of a point that went wrong before. */
  readonly second?: Trouble;
  readonly start?: { readonly kind: StartTrouble; readonly rank: number };
  readonly file?: FileFault & { readonly rank: number };
  readonly crash?: { readonly rank: number; readonly atMs: number };
  readonly freeze?: { readonly rank: number; readonly atMs: number; readonly forMs: number };
  /** To `ranks`, one after the other; a kill follows where `killsAfterMs`. */
  readonly signal?: {
    readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGUSR1';
    readonly ranks: readonly number[];
    readonly atMs: number;
    readonly killsAfterMs?: number;
  };
}

export const worldSizeOf = ({ hosts }: Plan): number => hosts.length;

/** The plan of one rank's trouble at this place. */
export function troubleAt(plan: Plan, rank: number, point: number, stage: Stage): Trouble | undefined {
  return [plan.trouble, plan.second].find(
    (trouble) => trouble?.rank === rank && trouble.point === point && trouble.stage === stage,
  );
}

function describeTrouble({ rank, kind, point, stage, step, isNative }: Trouble): string {
  return `rank ${rank} ${kind} in point ${point} ${stage} step ${step}${isNative ? ' (native)' : ''}`;
}

export function describePlan(plan: Plan): string {
  const { trouble, second, start, file, crash, freeze, signal } = plan;
  const at = (ms: number): string => `at ${ms.toFixed(1)} ms`;
  return [
    `${plan.hosts.length} ranks on hosts ${plan.hosts.join('')}, started as by ${plan.launcher}, ${plan.points.length} points`,
    trouble && describeTrouble(trouble),
    second && describeTrouble(second),
    start && `rank ${start.rank} fails at the start: ${start.kind}`,
    file &&
      `${file.file} of rank ${file.rank} ${file.kind} from ${file.fromMs.toFixed(1)} to ${file.untilMs.toFixed(1)} ms`,
    crash && `rank ${crash.rank} dies ${at(crash.atMs)}`,
    freeze && `rank ${freeze.rank} freezes ${at(freeze.atMs)} for ${freeze.forMs.toFixed(1)} ms`,
    signal &&
      `${signal.signal} to ranks ${signal.ranks.join(', ')} ${at(signal.atMs)}${signal.killsAfterMs === undefined ? '' : `, SIGKILL ${signal.killsAfterMs} ms later`}`,
  ]
    .filter((part) => part !== undefined)
    .join('; ');
}
