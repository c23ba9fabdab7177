/** Eight and sixteen ranks on emulated nodes of four: every kind verified, bytes as counted by hand, nothing bound to 4. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mpirunCli } from '../helpers/mpirun.js';
import { everySource } from '../helpers/replicated-spec.js';
import { needsMpi } from '../helpers/require.js';
import { readRankRows, type CsvRow } from '../helpers/results.js';

t.setTimeout(600_000);

const NODE_RANKS = 4;
const TOKENS = 6;
/** Padded to 384 columns of bf16; a message is led by 16 bytes, and by an id and a weight for each choice. */
const HIDDEN = 300;
const ROW_BYTES = 384 * 2;

/** A tensor-parallel cache, a replicated one, and an exchange in which every token chooses an expert of every rank. */
function jobsOf(ranks: number): unknown[] {
  return [
    {
      id: 'down',
      kind: 'offload',
      from: 'device',
      to: 'host',
      layout: { kind: 'layerSeparate', model: 'llama-3.1-70b', pageSize: 16, tensorParallel: 8 },
      pools: { deviceBlocks: 3, hostBlocks: 3 },
      blocks: 2,
      order: 'shuffled',
    },
    {
      ...everySource.find((job) => job['id'] === 'host'),
      root: ranks - 1,
      sweep: { strategy: ['rootBroadcast', 'scatterAllgather', 'auto'] },
    },
    {
      id: 'decode',
      kind: 'dispatchCombine',
      hidden: HIDDEN,
      numTopk: ranks,
      numExperts: ranks,
      numTokens: TOKENS,
      maxDispatchTokensPerRank: TOKENS,
      routing: { kind: 'uniform' },
      sweep: { dedup: ['on', 'node'] },
    },
  ];
}

/** Bytes that one rank hands the network in a call: rows that cross, and a signal for each peer that it talks to. */
function networkBytes(ranks: number, phase: string, dedup: 'on' | 'node'): number {
  const otherNodes = ranks / NODE_RANKS - 1;
  const crossings = dedup === 'on' ? otherNodes * NODE_RANKS : otherNodes;
  const message = 16 + 8 * ranks + ROW_BYTES;
  return crossings * (TOKENS * (phase === 'dispatch' ? message : ROW_BYTES) + 8);
}

function checkRows(t: Test, rows: readonly CsvRow[], ranks: number): void {
  for (const row of rows) {
    if (row['status'] === 'idle') continue;
    t.match(row, { status: 'ok', wrong: '0', ranks_per_node: String(NODE_RANKS) });
    t.ok(Number(row['checked']) > 0, 'verified');
    if (row['kind'] !== 'dispatchCombine') continue;
    const dedup = row['strategy_used'] === 'dedup on' ? 'on' : 'node';
    const bytes = networkBytes(ranks, row['phase'] ?? '', dedup);
    t.equal(Number(row['bytes_network']), bytes, `${row['phase']} dedup ${dedup}`);
  }
}

for (const ranks of [8, 16]) {
  t.test(`every kind on ${ranks} ranks, nodes of ${NODE_RANKS}`, { skip: needsMpi('openmpi') }, async (t) => {
    const folder = t.testdir();
    const defaults = { warmup: 1, iterations: 2, timeoutSeconds: 120 };
    const spec = { device: 'host', ranksPerNode: NODE_RANKS, defaults, jobs: jobsOf(ranks) };
    writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec));
    const args = ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'x'];
    const ended = await mpirunCli({ mpi: 'openmpi', ranks, timeoutMs: 400_000 }, args);
    t.equal(ended.status, 0, ended.stderr + ended.stdout);
    const rows = readRankRows(join(folder, 'x'));
    t.equal(rows.length, ranks);
    // One total of the copy, three phases of three strategies, dispatch and combine of two kinds of dedup.
    for (const own of rows) t.equal(own.length, 1 + 3 * 3 + 2 * 2);
    checkRows(t, rows.flat(), ranks);
  });
}
