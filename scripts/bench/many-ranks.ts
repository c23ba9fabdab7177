/**
 * `node dist/scripts/bench/many-ranks.js [--mpi mpich] [--ranks 64,128,256] [--out FOLDER]`: a verified run on many more ranks
 * than cores, each after a bare program of the same MPI and as many ranks. Summaries go to many-ranks-N.csv, what the run took
 * to many-ranks.csv. Not part of `npm run bench`: 256 ranks on 2 cores take minutes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'csv-stringify/sync';
import { MPI_NAMES, MPIS } from '../../runner/environment/mpis.js';
import { projectRoot } from '../../runner/project.js';
import { compileHello, timed } from './hello.js';
import { keepSummary } from './keep-summary.js';
import { summaryRows } from './row.js';
import { writeTables } from './tables.js';

const RAILRUNNER = join(projectRoot, 'bin', 'railrunner');
const SPEC = join(projectRoot, 'configs', 'bench', 'host-many-ranks.json');
const WITHIN_SECONDS = '1200';
const SAMPLE_EVERY_MS = 3000;

/** The most that was seen of any rank, and of all together, while a run lasted. */
interface Seen {
  readonly descriptors: number;
  readonly mappings: number;
  readonly threads: number;
  /** What MemAvailable fell by: with shared memory, page tables and buffers of the kernel. */
  readonly takenMib: number;
}

const NOTHING: Seen = { descriptors: 0, mappings: 0, threads: 0, takenMib: 0 };

const { values } = parseArgs({
  options: {
    mpi: { type: 'string', default: 'mpich' },
    ranks: { type: 'string', default: '64,128,256' },
    out: { type: 'string', default: join(projectRoot, 'docs', 'bench') },
  },
});

/** Descriptors, mappings and threads of a process; undefined where it has just ended. */
function processFigures(pid: string): Omit<Seen, 'takenMib'> | undefined {
  try {
    return {
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      mappings: readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length - 1,
      threads: readdirSync(`/proc/${pid}/task`).length,
    };
  } catch {
    return undefined;
  }
}

function availableMib(): number {
  return Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) / 1024;
}

/** Ranks, and nothing else, are Node processes that run this run. */
function ranksOf(runId: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0] === process.execPath && words.includes('run') && words.includes(runId);
    } catch {
      return false;
    }
  });
}

function look(runId: string, before: number, seen: Seen): Seen {
  const ranks = ranksOf(runId).flatMap((pid) => processFigures(pid) ?? []);
  const most = (of: (rank: Omit<Seen, 'takenMib'>) => number, so: number): number =>
    ranks.reduce((largest, rank) => Math.max(largest, of(rank)), so);
  return {
    descriptors: most((rank) => rank.descriptors, seen.descriptors),
    mappings: most((rank) => rank.mappings, seen.mappings),
    threads: most((rank) => rank.threads, seen.threads),
    takenMib: Math.max(seen.takenMib, before - availableMib()),
  };
}

/** CPU seconds of all children that this process has waited for, and of theirs. */
function childrenCpuSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticksPerSecond = 100;
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond;
}

async function runOn(ranks: number, folder: string): Promise<{ seen: Seen; seconds: number }> {
  const runId = `many-ranks-${ranks}-${process.pid}`;
  const words = [
    'launch',
    '-n',
    String(ranks),
    '--mpi',
    values.mpi,
    SPEC,
    '--out',
    folder,
    '--run-id',
    runId,
  ];
  const patience = {
    RAILRUNNER_WORLD_TIMEOUT_SECONDS: WITHIN_SECONDS,
    RAILRUNNER_PEER_TIMEOUT_SECONDS: WITHIN_SECONDS,
  };
  const before = availableMib();
  let seen = NOTHING;
  const started = performance.now();
  const child = spawn(process.execPath, [RAILRUNNER, ...words], {
    stdio: 'inherit',
    env: { ...process.env, ...patience },
  });
  const timer = setInterval(() => (seen = look(runId, before, seen)), SAMPLE_EVERY_MS);
  const status = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  clearInterval(timer);
  if (status !== 0) throw new Error(`the run on ${ranks} ranks ended with ${status}`);
  const seconds = (performance.now() - started) / 1000;
  keepSummary(join(folder, runId), join(values.out, `many-ranks-${ranks}.csv`));
  const wrong = summaryRows(join(folder, runId)).filter(
    (row) => row['status'] !== 'ok' || row['wrong'] !== '0' || row['ranks_reported'] !== String(ranks),
  );
  if (wrong.length > 0) throw new Error(`${wrong.length} rows of the run on ${ranks} ranks are not ok`);
  return { seen, seconds };
}

const mpi = MPI_NAMES.find((name) => name === values.mpi);
if (mpi === undefined) throw new Error(`--mpi: expected ${MPI_NAMES.join(' or ')}, received ${values.mpi}`);
mkdirSync(values.out, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'railrunner-many-ranks-'));
const rows: Record<string, string | number>[] = [];
try {
  const hello = compileHello(`mpicc.${mpi}`, folder);
  for (const ranks of values.ranks.split(',').map(Number)) {
    const entry = MPIS[mpi];
    const words = [...entry.launchWords(ranks, process.getuid?.() === 0), hello];
    const variables = entry.launchVariables(ranks, 1);
    const bare = timed(entry.mpirun, words, variables) / 1000;
    const cpuBefore = childrenCpuSeconds();
    const { seen, seconds } = await runOn(ranks, folder);
    rows.push({
      mpi,
      ranks,
      'bare MPI program, s': bare.toFixed(1),
      'run, s': seconds.toFixed(1),
      'CPU s per rank': ((childrenCpuSeconds() - cpuBefore) / ranks).toFixed(2),
      'memory taken, MiB': Math.round(seen.takenMib),
      'most descriptors': seen.descriptors,
      'most mappings': seen.mappings,
      'threads per rank': seen.threads,
    });
    writeFileSync(join(values.out, 'many-ranks.csv'), stringify(rows, { header: true }));
  }
  console.log(spawnSync('uptime', { encoding: 'utf8' }).stdout.trim());
  if (values.out === join(projectRoot, 'docs', 'bench')) writeTables(values.out);
} finally {
  rmSync(folder, { recursive: true });
}
