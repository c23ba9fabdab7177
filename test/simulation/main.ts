/**
 * Worlds of ranks that run the real engine under virtual time, each made by a seed:
 * node main.js [--seeds FROM COUNT | --seed N [--seed M]...] [--trace] [--keep]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkOutcome } from './checks.js';
import { makePlan } from './make-plan.js';
import { describePlan } from './plan.js';
import { forget, interpose, simulate, type Outcome } from './simulation.js';

const SHOWN = 8;

interface Request {
  readonly prints: boolean;
  readonly describes: boolean;
  readonly keeps: boolean;
  readonly parent: string;
}

/** True where all held. */
async function runSeed(seed: number, { prints, describes, keeps, parent }: Request): Promise<boolean> {
  const plan = makePlan(seed);
  const outcome = await simulate(plan, parent, prints);
  const found = checkOutcome(outcome);
  if (describes) describe(outcome);
  if (found.length > 0) {
    say(`seed ${seed} FAILED (${describePlan(plan)}); repeat it with --seed ${seed} --trace`);
    for (const what of found.slice(0, SHOWN)) say(`  ${what}`);
  }
  if (keeps) say(`files are in ${outcome.folder}`);
  else forget(outcome);
  return found.length === 0;
}

function describe({ plan, ranks, numEvents, simulatedMs, traceHash }: Outcome): void {
  say(`seed ${plan.seed}: ${describePlan(plan)}`);
  say(`events ${numEvents}, simulated ${(simulatedMs / 1000).toFixed(3)} s, trace hash ${traceHash}`);
  for (const { rank, end, output } of ranks)
    say(`rank ${rank}: ${JSON.stringify(end)}\n${output.replaceAll(/^/gm, '    ')}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const { values, positionals } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string', multiple: true },
    trace: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const parent = mkdtempSync(join(tmpdir(), 'railrunner-simulation-'));
interpose();
const request: Request = {
  prints: values.trace,
  describes: values.seed !== undefined,
  keeps: values.keep,
  parent,
};
const first = Number(values.seeds ?? 1);
const seeds =
  values.seed?.map(Number) ?? Array.from({ length: Number(positionals[0] ?? 100) }, (_, at) => first + at);
let numFailed = 0;
for (const seed of seeds) if (!(await runSeed(seed, request))) numFailed += 1;
say(`${seeds.length} seeds from ${seeds[0]}, ${numFailed} failed`);
if (!values.keep) rmSync(parent, { recursive: true });
process.exitCode = numFailed === 0 ? 0 : 1;
