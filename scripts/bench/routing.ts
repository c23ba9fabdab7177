/** The routing of 120,000 tokens, fast against plain, in turns in one process. CPU time: it does not count who else runs. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { stringify } from 'csv-stringify/sync';
import { KeyedRandom } from '../../jobs/dispatch-combine/routing/random.js';
import { makeRouting } from '../../jobs/dispatch-combine/routing/routing.js';
import { dispatchCombine } from '../../jobs/dispatch-combine/index.js';
import type { MoeSpec } from '../../jobs/dispatch-combine/moe-spec.js';
import { SpecFiles } from '../../runner/job-spec/files.js';
import { prepareKind, resolveJob } from '../../runner/job-spec/resolve-job.js';
import { median } from './median.js';
import { makePlainRouting } from './plain-routing.js';

const WORLD_SIZE = 2;
const JOB = {
  id: 'routed',
  kind: 'dispatchCombine',
  hidden: 128,
  numTopk: 8,
  numExperts: 256,
  outputLayout: 'rankMajor',
};
const ROUTINGS = [
  { kind: 'uniform' },
  { kind: 'zipf' },
  { kind: 'kHot', hotExperts: 8, hotFraction: 0.8 },
  { kind: 'powerLaw' },
  { kind: 'groupLimited' },
] as const;

interface Timed<T> {
  readonly value: T;
  readonly cpuMs: number;
}

function timed<T>(body: () => T): Timed<T> {
  const before = process.cpuUsage();
  const value = body();
  const { user, system } = process.cpuUsage(before);
  return { value, cpuMs: (user + system) / 1000 };
}

function specOf(routing: (typeof ROUTINGS)[number], numTokens: number): MoeSpec {
  const job = { ...JOB, routing, numTokens, maxDispatchTokensPerRank: numTokens };
  const around = { seed: 1, defaults: {}, overrides: {}, files: new SpecFiles(['.']) };
  const { points, issues } = resolveJob(job, 0, prepareKind(dispatchCombine), around);
  if (points[0] === undefined) throw new Error(JSON.stringify(issues));
  return points[0].spec as unknown as MoeSpec;
}

/** The floor: only the words, which the plain routing draws as well. */
function drawOnly(spec: MoeSpec, numTokens: number): number {
  const words = new Uint32Array(spec.numExperts);
  let last = 0;
  for (let rank = 0; rank < WORLD_SIZE; rank++) {
    const random = new KeyedRandom(spec.seed, 1, rank);
    for (let token = 0; token < numTokens; token++) {
      random.draw(words);
      last ^= words[0] ?? 0;
    }
  }
  return last;
}

/** Every turn is a row; throws where the two differ in a bit. */
export function measureRouting(csvPath: string, quick: boolean): void {
  const numTokens = quick ? 6000 : 60_000;
  const turns = quick ? 3 : 7;
  const rows: Record<string, string | number>[] = [];
  for (const routing of ROUTINGS) {
    const spec = specOf(routing, numTokens);
    const times: Record<'plain' | 'fast' | 'floor', number[]> = { plain: [], fast: [], floor: [] };
    for (let turn = 0; turn < turns; turn++) {
      const plain = timed(() => makePlainRouting(spec, WORLD_SIZE));
      const fast = timed(() => makeRouting(spec, WORLD_SIZE));
      const floor = timed(() => drawOnly(spec, numTokens));
      if (plain.value.digest !== fast.value.digest) throw new Error(`${routing.kind}: the digests differ`);
      for (const [variant, { cpuMs }] of Object.entries({ plain, fast, floor })) {
        times[variant as keyof typeof times].push(cpuMs);
        const tokens = WORLD_SIZE * numTokens;
        rows.push({
          routing: routing.kind,
          tokens,
          experts: JOB.numExperts,
          topk: JOB.numTopk,
          turn,
          variant,
          cpu_ms: cpuMs,
          cpu: cpus()[0]?.model ?? '',
        });
      }
    }
    const [plain, fast, floor] = [median(times.plain), median(times.fast), median(times.floor)];
    console.log(
      `${routing.kind}: plain ${plain.toFixed(0)} ms, fast ${fast.toFixed(0)} ms, ${(plain / fast).toFixed(1)} x; only words ${floor.toFixed(0)} ms`,
    );
  }
  writeFileSync(csvPath, stringify(rows, { header: true }));
}
