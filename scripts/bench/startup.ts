/** What railrunner itself costs: help, start of a run over a bare MPI program, a point, many points, many ranks. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { projectRoot } from '../../runner/project.js';
import { compileHello, requireZero, timed } from './hello.js';
import { median } from './median.js';

const RAILRUNNER = join(projectRoot, 'bin', 'railrunner');
interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly how: string;
}

export async function measureStartup(csvPath: string, resultsFolder: string, quick: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'railrunner-bench-'));
  try {
    const figures = [
      helpFigure(quick),
      ...startFigures(folder, quick),
      await manyPoints(folder, resultsFolder, quick),
    ].flat();
    if (!quick) figures.push(manyRanks(folder, resultsFolder));
    for (const figure of figures) console.log(`${figure.what}: ${figure.value} ${figure.unit}`);
    writeFileSync(
      csvPath,
      stringify(
        figures.map(({ what, value, unit, how }) => ({ what, value, unit, how })),
        { header: true },
      ),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function helpFigure(quick: boolean): Figure {
  const times = repeat(quick ? 5 : 15, () => timed(process.execPath, [RAILRUNNER, '--help']));
  return {
    what: '--help',
    value: round(median(times)),
    unit: 'ms',
    how: `median of ${times.length} processes`,
  };
}

/** A run of one tiny point against a C program that does MPI_Init, a barrier and MPI_Finalize, in turns. */
function startFigures(folder: string, quick: boolean): Figure[] {
  const hello = compileHello('mpicc.openmpi', folder);
  const spec = tinySpec(folder, 1, 1);
  const bare: number[] = [];
  const whole: number[] = [];
  repeat(quick ? 3 : 9, () => {
    bare.push(timed('mpirun.openmpi', [...mpirunWords(4), hello]));
    whole.push(
      timed('mpirun.openmpi', [
        ...mpirunWords(4),
        process.execPath,
        RAILRUNNER,
        'run',
        spec,
        '--out',
        folder,
      ]),
    );
  });
  const over = whole.map((time, index) => time - (bare[index] as number));
  const how = `4 ranks, median of ${over.length} pairs, one point without probes`;
  return [
    { what: 'bare MPI program, start to end', value: round(median(bare)), unit: 'ms', how },
    { what: 'run over the bare MPI program', value: round(median(over)), unit: 'ms', how },
  ];
}

/** Many points on 2 ranks: time a point, and the growth of memory between a tenth of the run and its end. */
async function manyPoints(folder: string, resultsFolder: string, quick: boolean): Promise<Figure[]> {
  const numPoints = quick ? 1000 : 10_000;
  const spec = tinySpec(folder, numPoints, 1);
  const runId = `points-${numPoints}`;
  const args = [
    ...mpirunWords(2),
    process.execPath,
    RAILRUNNER,
    'run',
    spec,
    '--out',
    resultsFolder,
    '--run-id',
    runId,
  ];
  const child = spawn('mpirun.openmpi', args, { stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const resident: { rows: number; mib: number }[] = [];
  const timer = setInterval(() => {
    const sample = residentOf(join(resultsFolder, runId));
    if (sample) resident.push(sample);
  }, 200);
  requireZero(await ended, 'the run of many points');
  clearInterval(timer);
  const rows = readFileSync(join(resultsFolder, runId, 'rank-0000.csv'), 'utf8')
    .trimEnd()
    .split('\n');
  const column = (rows[0] as string).split(',').indexOf('started_at');
  const at = (line: string | undefined): number =>
    Date.parse((line ?? '').match(/\d{4}-\d\d-\d\dT[\d:.]+Z/)?.[0] ?? '');
  requireZero(column < 0 ? 1 : 0, 'finding started_at');
  const perPoint = (at(rows.at(-1)) - at(rows[1])) / (rows.length - 2);
  const early = resident.find((sample) => sample.rows >= numPoints / 10)?.mib ?? NaN;
  const late = resident.at(-1)?.mib ?? NaN;
  const how = `${numPoints} points of 16 KiB on 2 ranks, Open MPI, one iteration, verified`;
  return [
    { what: 'a point, all included', value: round(perPoint), unit: 'ms', how },
    {
      what: 'growth of rank 0 from a tenth of the points to the last',
      value: round(late - early),
      unit: 'MiB',
      how: `${how}; ${round(late)} MiB at the end`,
    },
  ];
}

function manyRanks(folder: string, resultsFolder: string): Figure {
  const spec = tinySpec(folder, 2, 3);
  const args = [
    ...mpirunWords(64),
    process.execPath,
    RAILRUNNER,
    'run',
    spec,
    '--out',
    resultsFolder,
    '--run-id',
    'ranks-64',
  ];
  const time = timed('mpirun.openmpi', args);
  return {
    what: '64 ranks on this machine, start to end',
    value: round(time),
    unit: 'ms',
    how: 'two points, verified',
  };
}

function tinySpec(folder: string, numPoints: number, iterations: number): string {
  const path = join(folder, `tiny-${numPoints}-${iterations}.json`);
  const seed = Array.from({ length: numPoints }, (_, index) => index);
  const layout = {
    kind: 'fullyContiguous',
    numLayers: 1,
    outerDim: 1,
    pageSize: 16,
    innerDim: 128,
    dtypeWidthBytes: 2,
  };
  const job = {
    id: 'tiny',
    kind: 'offload',
    from: 'device',
    to: 'host',
    layout,
    pools: { deviceBlocks: 8, hostBlocks: 8 },
    blocks: 4,
    sweep: { seed },
  };
  const defaults = { warmup: 0, iterations, probe: false, timeoutSeconds: 60 };
  writeFileSync(path, JSON.stringify({ name: 'tiny', device: 'host', defaults, jobs: [job] }));
  return path;
}

function residentOf(folder: string): { rows: number; mib: number } | undefined {
  try {
    const { pid } = JSON.parse(
      readFileSync(join(folder, 'rank-0000.log'), 'utf8').split('\n')[0] as string,
    ) as { pid: number };
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const rows = readFileSync(join(folder, 'rank-0000.csv'), 'utf8').split('\n').length;
    return { rows, mib: Number(kib) / 1024 };
  } catch {
    return undefined; // not there yet, or just gone
  }
}

function mpirunWords(ranks: number): string[] {
  const words = ['-n', String(ranks), '--oversubscribe', '--bind-to', 'none'];
  return process.getuid?.() === 0 ? ['--allow-run-as-root', ...words] : words;
}

function repeat<T>(count: number, body: () => T): T[] {
  return Array.from({ length: count }, body);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
