/**
 * Worlds of ranks that run the real engine under virtual time, each made by a seed:
 * node main.js [--seeds FROM COUNT | --seed N [--seed M]...] [--trace] [--keep]
 * With --calls none|fails|hangs|sticks (also several), one point in which rank 1 of 2 has that trouble in its second sample: prints what each
 * rank asks of its world, as the C++ simulator does of its model of the engine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkOutcome } from './checks.js';
import { makePlan, planOfCalls } from './make-plan.js';
import { describePlan, type Plan } from './plan.js';
import { forget, interpose, simulate, type Outcome } from './simulation.js';

const SHOWN = 8;

interface Request {
  readonly prints: boolean;
  readonly describes: boolean;
  readonly saysCalls: boolean;
  readonly keeps: boolean;
  readonly parent: string;
}

/** True where all held. */
async function runSeed(seed: number, request: Request): Promise<boolean> {
  return await runPlan(makePlan(seed), request);
}

async function runPlan(
  plan: Plan,
  { prints, describes, saysCalls, keeps, parent }: Request,
): Promise<boolean> {
  const outcome = await simulate(plan, parent, prints);
  const found = checkOutcome(outcome);
  if (describes) describe(outcome);
  if (saysCalls) sayCalls(outcome);
  if (found.length > 0) {
    const { seed } = plan;
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

/** From the first point on: what comes before is the start of a run, which the C++ model has not. */
function sayCalls({ ranks }: Outcome): void {
  for (const { rank, calls } of ranks) {
    for (const call of calls.slice(calls.indexOf('report prepare') - 1)) say(`rank ${rank}: ${call}`);
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const { values, positionals } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string', multiple: true },
    calls: { type: 'string', multiple: true },
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
  saysCalls: values.calls !== undefined,
  keeps: values.keep,
  parent,
};
const first = Number(values.seeds ?? 1);
const seeds =
  values.seed?.map(Number) ?? Array.from({ length: Number(positionals[0] ?? 100) }, (_, at) => first + at);
let numFailed = 0;
if (values.calls !== undefined) {
  for (const trouble of values.calls) {
    say(`calls with trouble ${trouble}:`);
    if (!(await runPlan(planOfCalls(trouble), request))) numFailed += 1;
  }
} else {
  for (const seed of seeds) if (!(await runSeed(seed, request))) numFailed += 1;
}
say(`${seeds.length} seeds from ${seeds[0]}, ${numFailed} failed`);
if (!values.keep) rmSync(parent, { recursive: true });
process.exitCode = numFailed === 0 ? 0 : 1;
