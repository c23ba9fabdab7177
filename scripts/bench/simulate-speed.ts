/**
 * How fast `simulate` is: block references per second of CPU time, each figure the median of five in one process that
 * has run it before, compared with a plain implementation of the same question in the same run (a map of ids and a Fenwick tree
 * over references, as stack distances are usually had). Made-up requests, so that anybody can repeat it.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { POLICY_NAMES } from '../../jobs/cache/policy.js';
import { StackDistances } from '../../jobs/cache/stack-distances.js';
import { TieredCache } from '../../jobs/cache/tiered-cache.js';
import { seededRandom } from '../../jobs/kv/random.js';
import { PrefixTree } from '../../jobs/traces/prefix-tree.js';
import { openTrace } from '../../jobs/traces/read-trace.js';
import { median } from './median.js';

interface Workload {
  readonly name: string;
  readonly requests: readonly (readonly number[])[];
  readonly references: number;
}

/** Conversations that grow turn by turn, `numAlive` of them at a time; every turn adds some blocks. */
function conversations(name: string, numReferences: number, turnBlocks: number): Workload {
  const random = seededRandom(20250225);
  const alive: number[][] = Array.from({ length: 500 }, () => []);
  const requests: number[][] = [];
  let references = 0;
  for (let next = 0; references < numReferences;) {
    const at = random.below(alive.length);
    const before = alive[at] as number[];
    const base = before.length > 40 * turnBlocks ? [] : before;
    const fresh = Array.from({ length: 1 + random.below(2 * turnBlocks) }, () => next++);
    const request = [...base, ...fresh];
    alive[at] = request;
    requests.push(request);
    references += request.length;
  }
  return { name, requests, references };
}

/** Microseconds of CPU time. */
function cpuUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function allCapacities({ requests }: Workload): Float64Array {
  const tree = new PrefixTree();
  const distances = new StackDistances(tree);
  for (const ids of requests) {
    tree.walk(ids, distances.nextTag());
    distances.touch(true);
  }
  return distances.curve();
}

/** The usual algorithm: of each reference, how many blocks were touched since its last. */
function plainAllCapacities({ requests, references }: Workload): Float64Array {
  const counts = new Int32Array(references + 1);
  const lastAt = new Map<number, number>();
  const hits = new Float64Array(references + 1);
  const add = (at: number, by: number): void => {
    for (; at < counts.length; at += at & -at) counts[at] = (counts[at] as number) + by;
  };
  const upTo = (at: number): number => {
    let sum = 0;
    for (; at > 0; at &= at - 1) sum += counts[at] as number;
    return sum;
  };
  let now = 0;
  for (const ids of requests) {
    for (let place = ids.length - 1; place >= 0; place--) {
      const id = ids[place] as number;
      const last = lastAt.get(id);
      if (last !== undefined) {
        const distance = lastAt.size - upTo(last) + 1;
        hits[distance] = (hits[distance] as number) + 1;
        add(last, -1);
      }
      add(++now, 1);
      lastAt.set(id, now);
    }
  }
  return hits;
}

function oneCapacity({ requests }: Workload, policy: (typeof POLICY_NAMES)[number], capacity: number): void {
  const tree = new PrefixTree();
  const cache = new TieredCache([{ capacity, policy, ttlMs: 60_000, minUses: 1 }], false);
  let path = new Int32Array(1024);
  for (const [index, ids] of requests.entries()) {
    tree.walk(ids, 0);
    path = tree.path(path);
    cache.access(path, ids.length, index);
  }
}

async function readingRate(folder: string): Promise<number> {
  const path = join(folder, 'trace.jsonl');
  const { requests } = conversations('', 4e6, 40);
  const line = (ids: readonly number[], index: number): string =>
    `${JSON.stringify({ timestamp: index, input_length: 512 * ids.length, output_length: 1, hash_ids: ids })}\n`;
  writeFileSync(path, requests.map(line).join(''));
  const rates: number[] = [];
  for (let repeat = 0; repeat < 6; repeat++) {
    const before = process.cpuUsage();
    const trace = await openTrace(path);
    for await (const batch of trace.requests) void batch;
    const { user, system } = process.cpuUsage(before);
    rates.push((statSync(path).size / (user + system)) * 0.06);
  }
  return median(rates.slice(1));
}

const rate = (workload: Workload, work: () => void): number => {
  const times = Array.from({ length: 6 }, () => cpuUs(work));
  return workload.references / median(times.slice(1));
};

const [csvPath = 'simulate.csv'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'railrunner-bench-'));
const rows: { what: string; workload: string; value: string; unit: string }[] = [];
const note = (what: string, workload: string, value: number, unit: string): void => {
  rows.push({ what, workload, value: value.toFixed(1), unit });
  console.log(`${what}, ${workload}: ${value.toFixed(1)} ${unit}`);
};
try {
  for (const workload of [conversations('short turns', 3e6, 3), conversations('long turns', 12e6, 40)]) {
    note(
      'LRU, all capacities',
      workload.name,
      rate(workload, () => allCapacities(workload)),
      'M references/s',
    );
    note(
      'the same, plainly',
      workload.name,
      rate(workload, () => plainAllCapacities(workload)),
      'M references/s',
    );
    for (const policy of POLICY_NAMES) {
      note(
        `${policy}, one capacity`,
        workload.name,
        rate(workload, () => oneCapacity(workload, policy, 20_000)),
        'M references/s',
      );
    }
  }
  note('reading JSON lines', 'long turns', await readingRate(folder), 'GB/min');
  writeFileSync(csvPath, stringify(rows, { header: true }));
} finally {
  rmSync(folder, { recursive: true });
}
