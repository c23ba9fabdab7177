/**
 * Runs the tests that need GPUs, one file at a time, and keeps what each wrote, so that the run can be recorded where the
 * sources are: `npm run test:gpu -- [--out DIR] [PART_OF_A_FILE_NAME...]`, or from a bundle with tests, on a machine
 * without Node: `runtime/node dist/scripts/tests/gpu.js ...`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../runner/errors.js';
import { buildCommit, projectRoot } from '../../runner/project.js';
import { gpuSourcesDigest } from '../bench/gpu-sources.js';
import { findTests } from './find-tests.js';
import { GPU_RUN, type GpuRun } from './gpu-record.js';
import { runLanes } from './main.js';

/** "2 x NVIDIA H200, driver 580.1" */
function machineOf(listing: string): string {
  const lines = listing.trim().split('\n');
  const counted = [...new Set(lines)].map((line) => {
    const [name = '', driver = ''] = line.split(',').map((part) => part.trim());
    return `${lines.filter((other) => other === line).length} x ${name}, driver ${driver}`;
  });
  return counted.join('; ');
}

/** A bundle has no sources; what it was built of is in its bundle.json. */
function testedBuild(): Pick<GpuRun, 'commit' | 'gpuSources'> {
  const facts = join(projectRoot, 'bundle.json');
  const built = existsSync(facts)
    ? (JSON.parse(readFileSync(facts, 'utf8')) as { commit: string | null; gpuSources: string })
    : { commit: buildCommit(), gpuSources: gpuSourcesDigest(projectRoot) };
  const commit = built.commit?.replace(/^(.{7})[0-9a-f]*/, '$1') ?? 'no commit';
  return { commit, gpuSources: built.gpuSources };
}

/** What an earlier run left would be taken for this build's. Throws where there is something. */
function makeEmpty(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const [first] = readdirSync(folder);
  if (first !== undefined) throw new Error(`--out ${folder}: expected an empty folder, found ${first} in it`);
}

function listGpus(): string {
  const query = ['--query-gpu=name,driver_version', '--format=csv,noheader'];
  try {
    return execFileSync('nvidia-smi', query, { encoding: 'utf8' });
  } catch (error) {
    throw new Error(
      `expected nvidia-smi to list the GPUs: ${messageOf(error)}. Run this on a machine with GPUs`,
      {
        cause: error,
      },
    );
  }
}

/** Returns the exit status: 0 when nothing failed and something ran, 3 where it cannot begin. */
export async function runGpuTests(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { out: { type: 'string', default: 'gpu-tests' } },
    allowPositionals: true,
  });
  const out = resolve(values.out);
  try {
    const machine = machineOf(listGpus());
    makeEmpty(out);
    const run: GpuRun = { date: new Date().toISOString().slice(0, 10), ...testedBuild(), machine };
    writeFileSync(join(out, GPU_RUN), `${JSON.stringify(run)}\n`);
  } catch (error) {
    console.error(`test:gpu: ${messageOf(error)}`);
    return 3;
  }
  const files = findTests(join(projectRoot, 'dist'), positionals).filter(({ name }) =>
    name.startsWith('test/cuda/'),
  );
  return runLanes([files], {
    environment: () => ({}),
    take: async (testName, { stdout }) =>
      writeFileSync(join(out, `${basename(testName, '.js')}.tap`), stdout),
  });
}

if (process.argv[1] === import.meta.filename) process.exitCode = await runGpuTests(process.argv.slice(2));
