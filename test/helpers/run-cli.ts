/** Real child processes for tests: a clean environment, a limit in time, everything they said. */
import { spawn, type ChildProcess } from 'node:child_process';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { codeOf } from '../../runner/errors.js';
import { setNiceness } from '../../scripts/tests/niceness.js';

export const railrunner = join(projectRoot, 'bin', 'railrunner');

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the clean environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default 150 s. It only bounds a hang: four ranks on two cores take two seconds, on a loaded machine many more. */
  readonly timeoutMs?: number;
  /** Written to stdin; absent = stdin is empty. */
  readonly input?: string;
}

export interface Finished {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** True when it was killed at `timeoutMs`. */
  readonly timedOut: boolean;
  readonly durationMs: number;
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when stdout and stderr together match; rejects when the process ends or the time passes before. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

/** What a launcher or the test runner left in ours would make a child believe that it is a rank, or a test. */
const FOREIGN = /^(NODE_OPTIONS|TAP|_TAPJS|OMPI_|PMI|PMIX_|HYDRA?_|HYDI_|MPI|PRTE_|SLURM_)/;

export function cleanEnvironment(extra: RunOptions['env'] = {}): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) if (!FOREIGN.test(name)) environment[name] = value;
  for (const [name, value] of Object.entries(extra)) {
    if (value === undefined) delete environment[name];
    else environment[name] = value;
  }
  return environment;
}

/** Ends a process and all that it started; harmless once it is gone. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

export function start(command: string, args: readonly string[], options: RunOptions = {}): Running {
  const started = performance.now();
  const child = spawn(command, args, {
    cwd: options.cwd ?? projectRoot,
    env: cleanEnvironment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  // A session of its own (detached) does not take over the niceness that the test's own has.
  if (child.pid !== undefined) setNiceness(child.pid, getPriority());
  const said = { stdout: '', stderr: '' };
  let timedOut = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  child.stdin.on('error', () => undefined); // it may end without reading
  child.stdin.end(options.input ?? '');
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, options.timeoutMs ?? 150_000);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, ...said, timedOut, durationMs: performance.now() - started });
    });
  });
  const waitFor = async (pattern: RegExp, timeoutMs = 120_000): Promise<RegExpExecArray> => {
    const deadline = performance.now() + timeoutMs;
    let ended = false;
    const end = finished.then(() => (ended = true));
    for (;;) {
      const match = pattern.exec(`${said.stdout}${said.stderr}`);
      if (match) return match;
      if (ended || performance.now() > deadline) {
        throw new Error(`${pattern} not seen; stdout:\n${said.stdout}\nstderr:\n${said.stderr}`);
      }
      await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  };
  return { child, finished, waitFor };
}

export function run(command: string, args: readonly string[], options?: RunOptions): Promise<Finished> {
  return start(command, args, options).finished;
}

/** `railrunner ARGS` as a user starts it, as a single process. */
export function runCli(args: readonly string[], options?: RunOptions): Promise<Finished> {
  return run(process.execPath, [railrunner, ...args], options);
}

/** The arguments of a run of \`spec\` whose own folder is \`runId\` in \`folder\`. */
export function runArgs(spec: string, folder: string, runId = 'x'): string[] {
  return ['run', spec, '--out', folder, '--run-id', runId];
}
