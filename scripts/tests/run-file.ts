/** Runs one compiled test file in a process of its own, bounded in time, and reads what it says. */
import { spawn } from 'node:child_process';
import { getPriority } from 'node:os';
import { parseTap, type TestCase } from './cases.js';
import type { TestFile } from './find-tests.js';
import { GIVING_WAY, setNiceness } from './niceness.js';

export interface FileOutcome {
  readonly file: TestFile;
  readonly cases: readonly TestCase[];
  readonly durationMs: number;
  /** TAP, as the file wrote it. */
  readonly stdout: string;
  readonly stderr: string;
}

/** It only bounds a hang: ours end in a fraction, but some compile first, and a machine may be loaded. */
const LIMIT_MS = 1_200_000;

const running = new Set<number>();

/** Ends what is running: the whole process group of each test file, ranks included. */
export function killRunning(): void {
  for (const pid of running) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      running.delete(pid); // gone already
    }
  }
}

function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = { ...environment };
  delete kept['NODE_OPTIONS'];
  // npm's own variables would make a child npm believe it is part of this call
  for (const name of Object.keys(kept)) if (/^npm_(config|lifecycle|package)_/.test(name)) delete kept[name];
  return kept;
}

/** What the file as a whole adds to its cases: one failure where it did not end as its cases say. */
function wholeFile(
  fault: string,
  limitMs: number | null,
  status: number | null,
  cases: TestCase[],
): TestCase[] {
  const failed = cases.some((entry) => entry.status === 'failed');
  let detail = fault;
  if (limitMs !== null) detail = `ran past its limit of ${limitMs / 1000} s and was killed`;
  else if (cases.length === 0)
    detail ||= `said nothing (exit status ${status}): a test file holds at least one test`;
  else if (status !== 0 && !failed) detail ||= `exit status ${status}, although no test failed`;
  return detail === '' ? [] : [{ name: '(the whole file)', status: 'failed', detail }];
}

export function runTestFile(
  file: TestFile,
  cwd: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<FileOutcome> {
  const started = performance.now();
  const environment = { ...withoutOurs(process.env), TAP_TIMEOUT: String(LIMIT_MS / 1000), ...extra };
  const child = spawn(process.execPath, ['--enable-source-maps', file.path], {
    cwd,
    detached: true, // a process group, so that all it started can be ended with it
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid ?? 0;
  running.add(pid);
  // What a file with ranks needs comes first: ranks that poll for one without a core only waste theirs.
  if (!file.heavy) setNiceness(pid, Math.max(getPriority(), GIVING_WAY));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killRunningGroup(pid);
  }, LIMIT_MS);
  return new Promise((resolve) => {
    child.on('exit', (status) => {
      clearTimeout(timer);
      // A left-over grandchild must not hold our pipes open for ever.
      setTimeout(() => killRunningGroup(pid), 2000).unref();
      child.on('close', () => {
        running.delete(pid);
        const { cases, fault } = parseTap(stdout);
        cases.push(...wholeFile(fault, timedOut ? LIMIT_MS : null, status, cases));
        resolve({ file, cases, durationMs: performance.now() - started, stdout, stderr });
      });
    });
  });
}

function killRunningGroup(pid: number): void {
  if (!running.has(pid)) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    running.delete(pid);
  }
}
