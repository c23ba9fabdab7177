/**
 * Runs every test file, three at a time. Of those that start ranks, hosts or Slurm one at most runs, for two worlds at once
 * would be more ranks than a small machine has cores for; they wait much, and two others, which give way to it, use that time.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { findTests, type TestFile } from './find-tests.js';
import { closingLine, reportFile, type Tally } from './report.js';
import { killRunning, runTestFile, type FileOutcome } from './run-file.js';

function print(line: string): void {
  writeSync(1, `${line}\n`); // synchronous: nothing is lost when the process ends, in a pipe or not
}

async function runQueue(queue: TestFile[], run: (file: TestFile) => Promise<void>): Promise<void> {
  for (let file = queue.shift(); file; file = queue.shift()) await run(file);
}

function endOnSignals(): void {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      killRunning();
      process.exit(status);
    });
  }
}

/** What a run of the tests records of each file beyond its outcome. */
export interface TestRecorder {
  /** Added to the environment of the file's process. */
  readonly environment: (testName: string) => Readonly<Record<string, string>>;
  /** Called once the file has ended. */
  readonly take: (testName: string, outcome: FileOutcome) => Promise<void>;
}

/** Returns the exit status: 0 when nothing failed and something ran. */
export async function runAllTests(filters: readonly string[], recorder?: TestRecorder): Promise<number> {
  const files = findTests(join(projectRoot, 'dist'), filters);
  if (files.length === 0) print(`no test file matches: ${filters.join(' ')}`);
  const heavy = files.filter((file) => file.heavy);
  const light = files.filter((file) => !file.heavy);
  return runLanes([heavy, light, light], recorder);
}

/** A lane runs one file at a time; lanes run next to each other, and may share what they take their files from. */
export async function runLanes(lanes: readonly TestFile[][], recorder?: TestRecorder): Promise<number> {
  endOnSignals();
  const inCi = process.env['CI'] === 'true';
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const skips: { name: string; reason: string }[] = [];
  const runOne = async (file: TestFile): Promise<void> => {
    const outcome = await runTestFile(file, projectRoot, recorder?.environment(file.name));
    const [tally, skipped] = reportFile(outcome, inCi, print);
    await recorder?.take(file.name, outcome);
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += tally[key];
    skips.push(...skipped);
  };
  await Promise.all(lanes.map((lane) => runQueue(lane, runOne)));
  if (skips.length > 0) print('\nskipped:');
  for (const { name, reason } of skips) print(`  ${name}: ${reason}`);
  print('');
  print(closingLine(total));
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}
