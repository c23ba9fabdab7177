/**
 * Transfers between ranks of the host device next to the bare operation, interleaved: threads that memcpy the same pieces,
 * ucx_perftest at the same size and transport, bare UCX connections; and what importing many peers costs.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { projectRoot } from '../../runner/project.js';
import { median } from './median.js';

type Row = Readonly<Record<string, string>>;

interface Figure {
  readonly what: string;
  readonly case: string;
  readonly value: number;
  readonly baseline: number | '';
  readonly unit: string;
  readonly ratio: number | '';
  readonly how: string;
}

const FOLDER = join(projectRoot, 'build', 'Release');
/** As the network module batches, and so what one message carries. */
const MESSAGE_BYTES = 256 * 1024;
const MESSAGES = 2000;
const PORT = 13_437;

export async function measureTransferHost(csvPath: string, quick: boolean): Promise<void> {
  const built = ['--build', join(projectRoot, 'build'), '--target', 'transfer_bench', '-j', '2'];
  if (spawnSync('cmake', built, { stdio: 'inherit' }).status !== 0) throw new Error('cmake failed');
  const rounds = quick ? 3 : 9;
  const figures = [
    ...memoryFigures(rounds),
    ...(await networkFigures(rounds)),
    ...importFigures(rounds),
    ...connectFigures(rounds),
  ];
  for (const { what, case: name, value, baseline, unit, ratio } of figures)
    console.log(`${what} ${name}: ${value} ${unit}, baseline ${baseline}, ratio ${ratio}`);
  writeFileSync(csvPath, stringify(figures, { header: true }));
}

function rowsOf(what: string, rounds: number): Row[] {
  const ended = spawnSync(join(FOLDER, 'transfer_bench'), [what, String(rounds)], { encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`transfer_bench ${what}: ${ended.stdout}${ended.stderr}`);
  return parse(ended.stdout, { columns: true });
}

const medianOf = (rows: readonly Row[], column: string): number =>
  median(rows.map((row) => Number(row[column])));
const caseOf = (row: Row): string => `${row['op']} ${row['region_bytes']} B`;
const rounded = (value: number): number => Number(value.toPrecision(4));

function byCase(rows: readonly Row[], name: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(name(row), [...(groups.get(name(row)) ?? []), row]);
  return groups;
}

function memoryFigures(rounds: number): Figure[] {
  return [...byCase(rowsOf('memory', rounds), caseOf)].map(([name, rows]) => {
    const [value, baseline] = [medianOf(rows, 'GBps'), medianOf(rows, 'memcpy_GBps')];
    const how = `median of ${rows.length} rounds, interleaved; baseline: 2 threads that memcpy the same pieces`;
    const ratio = rounded(median(rows.map((row) => Number(row['GBps']) / Number(row['memcpy_GBps']))));
    const what = 'mapped memory';
    return { what, case: name, value: rounded(value), baseline: rounded(baseline), unit: 'GB/s', ratio, how };
  });
}

/** A run of the transfers between two of each baseline; each round has ratios of its own. */
async function networkFigures(rounds: number): Promise<Figure[]> {
  const rows: Row[] = [];
  for (let round = 0; round < rounds; round++) {
    const perftest = [await perftestGBps()];
    const bare = [bareGBps()];
    const measured = rowsOf('network', 1);
    bare.push(bareGBps());
    perftest.push(await perftestGBps());
    const baselines = { perftest: String(mean(perftest)), bare: String(mean(bare)) };
    rows.push(...measured.map((row) => ({ ...row, ...baselines })));
  }
  const baselines = {
    perftest: `ucx_perftest -t ucp_am_bw -s ${MESSAGE_BYTES} over tcp/lo, of one buffer that stays in the caches`,
    bare: `bare UCX that sends 128 MiB as they lie into as many, in eager messages of ${MESSAGE_BYTES} B`,
  };
  return [...byCase(rows, caseOf)].flatMap(([name, each]) =>
    Object.entries(baselines).map(([column, baseline]) => ({
      what: `network ${each[0]?.['transport'] ?? ''}`,
      case: name,
      value: rounded(medianOf(each, 'GBps')),
      baseline: rounded(medianOf(each, column)),
      unit: 'GB/s',
      ratio: rounded(median(each.map((row) => Number(row['GBps']) / Number(row[column])))),
      how: `median of ${rounds} rounds; baseline: ${baseline}`,
    })),
  );
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function bareGBps(): number {
  const eager = rowsOf('bare', 1).find((row) => row['protocol'] === 'eager');
  return Number(eager?.['GBps']);
}

async function perftestGBps(): Promise<number> {
  const env = { ...process.env, UCX_TLS: 'tcp', UCX_NET_DEVICES: 'lo' };
  const server = spawn('ucx_perftest', ['-p', String(PORT)], { env, stdio: 'ignore' });
  const ended = once(server, 'exit');
  await sleep(300);
  const words = ['127.0.0.1', '-p', PORT, '-t', 'ucp_am_bw', '-s', MESSAGE_BYTES, '-n', MESSAGES, '-f', '-v'];
  const { status, stdout, stderr } = spawnSync('ucx_perftest', words.map(String), { env, encoding: 'utf8' });
  await ended;
  // -v: CSV; the column is bandwidth over the whole run, in units of 2^20 bytes.
  const last = stdout.trim().split('\n').at(-1)?.split(',') ?? [];
  const megabytes = Number(last[5]);
  if (status !== 0 || !(megabytes > 0)) throw new Error(`ucx_perftest ${status}: ${stdout}${stderr}`);
  return (megabytes * 2 ** 20) / 1e9;
}

function importFigures(rounds: number): Figure[] {
  return [...byCase(rowsOf('import', rounds), (row) => `${row['peers']} peers`)].map(([name, rows]) => ({
    what: 'import of metadata',
    case: name,
    value: rounded(medianOf(rows, 'import_cpu_ms')),
    baseline: '',
    unit: 'ms',
    ratio: '',
    how: `CPU time, median of ${rows.length}; blobs of ${rows[0]?.['blob_bytes'] ?? ''} B with 2 layouts each`,
  }));
}

function connectFigures(rounds: number): Figure[] {
  const rows = rowsOf('connect', rounds);
  const baseline = medianOf(rows, 'bare_ucx_ms');
  return (['mapped_ms', 'network_ms'] as const).map((column) => ({
    what: 'connecting all pairs of 8 ranks',
    case: column === 'mapped_ms' ? 'mapped memory' : 'network tcp/lo',
    value: rounded(medianOf(rows, column)),
    baseline: rounded(baseline),
    unit: 'ms',
    ratio: rounded(medianOf(rows, column) / baseline),
    how: `median of ${rows.length} on 2 cores; baseline: bare UCX endpoints and a message each way`,
  }));
}
