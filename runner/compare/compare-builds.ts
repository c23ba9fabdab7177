/** `ab` as a whole: runs, verdict, files. */
import { join, resolve } from 'node:path';
import { RunnerError } from '../errors.js';
import { readEnvironment } from '../environment/variables.js';
import { projectRoot } from '../project.js';
import { makeRunId } from '../results/run-folder.js';
import { AB_VERDICT } from './ab-folder.js';
import { judgeAb, type AbOptions } from './ab-judge.js';
import { AbRuns } from './ab-runs.js';
import { parsePrefix, splitWords } from './prefix.js';
import { exitOfVerdict, type Verdict } from './verdict.js';
import { writeVerdict } from './write-verdict.js';

export interface AbRequest extends AbOptions {
  readonly spec: string;
  readonly a: string;
  readonly b: string;
  readonly numRanks: number;
  readonly launcher: string;
  readonly outFolder: string;
  /** Folder of a comparison to go on with. */
  readonly resume: string | undefined;
  readonly budgetSeconds: number | undefined;
  readonly onRun: (text: string) => void;
}

export interface AbResult {
  readonly verdict: Verdict;
  readonly folder: string;
  readonly exitStatus: number;
}

const END_GRACE_MS = 15_000;

/** Rejects with E_USAGE, E_RESUME, E_RUN_READ, E_MACHINE_CLASS and E_OUTPUT. */
export async function compareBuilds(request: AbRequest): Promise<AbResult> {
  const { spec, a, b, numRanks, launcher, numPairs, numFreshPairs, budgetSeconds, onRun } = request;
  const folder = resolve(request.resume ?? join(request.outFolder, `ab-${makeRunId()}`));
  const own = join(projectRoot, 'bin', 'railrunner');
  const runs = new AbRuns({
    folder,
    spec: resolve(spec),
    prefixes: { a: parsePrefix('--a', a, own), b: parsePrefix('--b', b, own) },
    numRanks,
    launcher: splitWords('--launcher', launcher),
    budgetSeconds,
    variables: readEnvironment().variables,
    endGraceMs: END_GRACE_MS,
    onRun,
  });
  await runs.begin({ spec: resolve(spec), a, b, numRanks, launcher, numPairs, numFreshPairs });
  const verdict = named(await judgeAb(runs.measure, request), a, b);
  if (verdict.keys.length === 0 && verdict.problems.length === 0) {
    throw new RunnerError('E_USAGE', `${spec}: expected at least one point with times, the runs have none`);
  }
  await writeVerdict(join(folder, AB_VERDICT), verdict);
  return { verdict, folder, exitStatus: runs.stopStatus || exitOfVerdict(verdict) };
}

function named(verdict: Verdict, a: string, b: string): Verdict {
  const text = (side: string, prefix: string): string =>
    prefix === '' ? `${side} (this build)` : `${side} (${prefix})`;
  return { ...verdict, baseline: text('A', a), candidate: text('B', b) };
}
