/** The runs behind `ab`: each a child process in a folder of its own, within the budget, kept for --resume. */
import { childStatus } from '../values/child-status.js';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Variables } from '../environment/variables.js';
import { RunnerError } from '../errors.js';
import { PROGRAM } from '../error-line.js';
import { outputError } from '../system-failure.js';
import { makeFolder } from '../results/run-folder.js';
import { AB_RUNS, AB_SETTINGS, abRunName } from './ab-folder.js';
import { orderOfPair, type MeasureRun, type RunPlace, type Side } from './ab-judge.js';
import { refuseOtherClass } from './compare-runs.js';
import type { Prefix } from './prefix.js';
import { readRuns, type RunTable } from './run-table.js';
import { firstOf } from '../values/items.js';

export interface AbRunsRequest {
  readonly folder: string;
  readonly spec: string;
  readonly prefixes: Readonly<Record<Side, Prefix>>;
  readonly numRanks: number;
  /** Words in front of the program, for example `srun -n 4`; empty: `launch -n` starts the ranks. */
  readonly launcher: readonly string[];
  readonly budgetSeconds: number | undefined;
  readonly variables: Variables;
  /** After TERM a run writes its rows and ends; what has not ended by then is killed. */
  readonly endGraceMs: number;
  /** Called as a run begins, for progress. */
  readonly onRun: (text: string) => void;
}

/** Kinds of end of a run whose rows can be judged: all well, or points that failed. */
const JUDGED_STATUSES = new Set([0, 1, 124]);

export class AbRuns {
  readonly #request: AbRunsRequest;
  readonly #startedAt = performance.now();
  #longestMs = 0;
  #first: RunTable | undefined;
  #child: ReturnType<typeof spawn> | undefined;
  #signal: NodeJS.Signals | undefined;

  constructor(request: AbRunsRequest) {
    this.#request = request;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR1'] as const) {
      process.on(signal, () => {
        this.#signal ??= signal;
        this.#end();
      });
    }
  }

  /** Exit status that a signal asks for; 0 for none. */
  get stopStatus(): number {
    return this.#signal === undefined ? 0 : 128 + constants.signals[this.#signal];
  }

  /** What was asked for stands in ab.json: a resumed comparison must be the same. Rejects with E_RESUME, E_OUTPUT. */
  async begin(settings: object): Promise<void> {
    const { folder } = this.#request;
    const path = join(folder, AB_SETTINGS);
    const text = `${JSON.stringify(settings, null, 2)}\n`;
    if (existsSync(path)) {
      if (readFileSync(path, 'utf8') === text) return;
      throw new RunnerError(
        'E_RESUME',
        `--resume ${folder}: expected the builds, spec and options of ab.json there, received others; repeat those, or name another folder`,
      );
    }
    try {
      await makeFolder(join(folder, AB_RUNS));
      await writeFile(`${path}.next`, text);
      await rename(`${path}.next`, path);
    } catch (error) {
      throw outputError(`${path} cannot be written`, error);
    }
  }

  readonly measure: MeasureRun = async (place) => {
    const name = abRunName(place);
    const path = join(this.#request.folder, AB_RUNS, name);
    this.#dropHalfPair(place);
    if (!existsSync(join(path, 'manifest.json'))) {
      if (!this.#hasTime()) return undefined;
      this.#request.onRun(name);
      const startedAt = performance.now();
      const status = await this.#run(place, name);
      this.#longestMs = Math.max(this.#longestMs, performance.now() - startedAt);
      if (this.#signal !== undefined || status === undefined) return undefined;
      if (!JUDGED_STATUSES.has(status)) throw this.#failed(place, status);
    }
    const table = firstOf(await readRuns([path], 'time'));
    this.#first ??= table;
    refuseOtherClass([this.#first, table]);
    return table;
  };

  /** A pair is two neighbours in time: half of one is measured again with its other half. */
  #dropHalfPair(place: RunPlace): void {
    if (orderOfPair(place.pair)[0] !== place.side) return;
    const paths = (['a', 'b'] as const).map((side) =>
      join(this.#request.folder, AB_RUNS, abRunName({ ...place, side })),
    );
    if (paths.every((path) => existsSync(join(path, 'manifest.json')))) return;
    for (const path of paths) rmSync(path, { recursive: true, force: true });
  }

  get #logPath(): string {
    return join(this.#request.folder, 'ab.log');
  }

  #hasTime(): boolean {
    return this.#signal === undefined && this.#leftMs() > this.#longestMs;
  }

  #leftMs(): number {
    const { budgetSeconds } = this.#request;
    return budgetSeconds === undefined
      ? Infinity
      : 1000 * budgetSeconds - (performance.now() - this.#startedAt);
  }

  /** Exit status of one run; undefined where the budget or a signal ended it. */
  async #run({ side, points }: RunPlace, name: string): Promise<number | undefined> {
    const { folder, spec, prefixes, numRanks, launcher, variables } = this.#request;
    const { program, options, variables: own } = prefixes[side];
    const run = [spec, '--out', join(folder, AB_RUNS), '--run-id', name, ...options];
    if (points !== undefined) run.push('--points', points.join(','));
    const words =
      launcher.length === 0
        ? [program, 'launch', '-n', String(numRanks), ...run]
        : [...launcher, program, 'run', ...run];
    const log = beginLog(this.#logPath, words);
    // The child writes to the file itself: its output is complete when it ends, and what it leaves behind holds no pipe open.
    const child = spawn(firstOf(words), words.slice(1), {
      env: { ...variables, ...own },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    let late = false;
    const left = this.#leftMs();
    const timer = Number.isFinite(left)
      ? setTimeout(() => {
          late = true;
          this.#end();
        }, left)
      : undefined;
    try {
      const status = await new Promise<number>((resolve, reject) => {
        child.on('error', (error) =>
          reject(
            new RunnerError('E_USAGE', `${words[0]} cannot be started: ${error.message}; check its path`, {
              cause: error,
            }),
          ),
        );
        child.on('close', (code, signal) => resolve(childStatus(code, signal)));
      });
      return late ? undefined : status;
    } finally {
      clearTimeout(timer);
      this.#child = undefined;
    }
  }

  #end(): void {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), this.#request.endGraceMs).unref();
  }

  #failed({ side }: RunPlace, status: number): RunnerError {
    const path = this.#logPath;
    const said = reasonIn(readFileSync(path, 'utf8'));
    return new RunnerError(
      'E_USAGE',
      `--${side}: its run ended with exit status ${status} before it measured. Read its output in ${path}:\n${said}`,
    );
  }
}

/** A run's line in the log, which is left open for what the run says. Throws E_OUTPUT. */
function beginLog(path: string, words: readonly string[]): number {
  try {
    const log = openSync(path, 'a');
    writeSync(log, `+ ${words.join(' ')}\n`);
    return log;
  } catch (error) {
    throw outputError(`${path} cannot be written`, error);
  }
}

const MOST_LINES = 8;

/** Why the last run of a log failed: the first error that railrunner names, which launchers bury in words of their own. */
function reasonIn(log: string): string {
  const lines = log.trimEnd().split('\n');
  const ownLines = lines.slice(lines.findLastIndex((line) => line.startsWith('+ ')) + 1);
  const named = ownLines.findIndex((line) => line.startsWith(`${PROGRAM}E_`));
  return (named < 0 ? ownLines.slice(-MOST_LINES) : ownLines.slice(named, named + MOST_LINES)).join('\n');
}
