/** Worlds of ranks that run the real engine under virtual time (docs/simulation.md). */
// small worlds: no process is started but the simulator's own
import t from 'tap';
import { run, type Finished } from '../helpers/run-cli.js';
import { PROGRAM } from './program.js';

t.setTimeout(3_600_000);

const SEEDS = process.env['RAILRUNNER_TEST_SEEDS'] ?? '30';

const simulate = async (...args: readonly string[]): Promise<Finished> =>
  await run(process.execPath, [PROGRAM, ...args], { timeoutMs: 3_500_000 });

t.test(`${SEEDS} seeds: all conclude alike, nobody waits without bound, no row is lost`, async (t) => {
  const { status, stdout, stderr } = await simulate('--seeds', '1', SEEDS);
  t.equal(status, 0, `${stdout}${stderr}`.slice(-3000));
  t.match(stdout, `${SEEDS} seeds from 1, 0 failed`);
});

/** Each found a fault of the engine. `plan`: what it is about, so that a seed that means another plan is noticed. */
const FOUND = [
  {
    seed: '388',
    plan: /rank 3 closeFails/,
    fault: 'a failure to free what a job kept ended the run by surprise',
  },
  { seed: '190', plan: /rank 2 closeHangs/, fault: 'freeing what a job kept was waited for without bound' },
  {
    seed: '519',
    plan: /rank 0 fails at the start: need/,
    fault: 'a plan that failed on one rank left the others waiting',
  },
  {
    seed: '330',
    plan: /rank 0 hangs in point 3 verify/,
    fault: 'a step that was given up met what the others did next',
  },
  {
    seed: '95',
    plan: /rank 0 waits in point 1 prepare/,
    fault: 'the same of a step that nobody comes back from',
  },
  {
    seed: '470',
    plan: /rank 1 skips .* rank 2 sticky/,
    fault: 'a run that could not go on after a skipped point was ok',
  },
  {
    seed: '616',
    plan: /rank-0000.csv of rank 0 hangs/,
    fault: 'a file system that hung at the start held its rank for ever',
  },
  {
    seed: '2627',
    plan: /rank 1 slow in point 2 measure .*; SIGTERM to ranks 0/,
    fault: 'a rank that left without the others met them in another call',
  },
  {
    seed: '3794',
    plan: /79 points; .* rank-0001.csv of rank 1 hangs/,
    fault: 'files of samples that hung were waited for 30 s in every point',
  },
  {
    seed: '6926',
    plan: /4 ranks on hosts 0012, .*; rank 2 dies at 364/,
    fault: 'a rank that waited was blamed before the silence of the dead one was long enough',
  },
  {
    seed: '13204',
    plan: /rank 0 freezes at 285/,
    fault: 'a broadcast of a kind lost the world at the deadline of its stage',
  },
] as const;

/** Ends that few seeds have. `said`: by the ranks, at their end. */
const ENDS = [
  {
    seed: '73',
    plan: /rank 0 slow in point 0 measure/,
    said: /E_TIMEOUT: measure passed its deadline of 1 s in iteration 5, which still advanced: it is slow/,
  },
  {
    seed: '139',
    plan: /rank 6 dies at 34\.4 ms/,
    said: /rank 5: \{"how":"exited","status":143/,
  },
  {
    seed: '174',
    plan: /rank-0000\.csv of rank 0 hangs from 157\.3 to Infinity ms/,
    said: /E_OUTPUT: .*rank-0000\.csv: the file system did not answer within 0\.25 s.*they are in/,
  },
  {
    seed: '189',
    plan: /rank 1 closeHangs/,
    said: /E_STUCK: rank 1 on host0: giving back memory did not end within 10 s/,
  },
  {
    seed: '917',
    plan: /rank-0001\.csv of rank 1 full from/,
    said: /E_OUTPUT: rank 1 on host0: .*point-00001-rank-0001\.csv cannot be written: ENOSPC/,
  },
  {
    seed: '23186',
    plan: /summary\.csv of rank 0 hangs from .*; SIGTERM to ranks 0, 1, 2/,
    said: /rank 0: \{"how":"exited","status":143[^]*summary\.csv: the file system did not answer within 0\.25 s/,
  },
] as const;

t.test('ends that few seeds have say what happened', async (t) => {
  const finished = await simulate(...ENDS.flatMap(({ seed }) => ['--seed', seed]));
  t.equal(finished.status, 0, finished.stdout.slice(-3000));
  for (const { seed, plan, said } of ENDS) {
    const text = ofSeed(finished, seed).join('');
    t.match(text, plan, `seed ${seed} means another plan now`);
    t.match(text, said, `seed ${seed}`);
  }
});

/** What the program says of one seed: the plan, the end of each rank, what does not hold. */
function ofSeed({ stdout }: Finished, seed: string): string[] {
  return stdout.split(/^(?=seed \d+: )/m).filter((part) => part.startsWith(`seed ${seed}: `));
}

/** The sum of all events, their order and their virtual times. */
const hashOf = (text: string): string | undefined => /trace hash ([0-9a-f]{16})/.exec(text)?.[1];

t.test(
  'seeds that found a fault pass, and a seed repeats its events exactly, also behind others',
  async (t) => {
    const seeds = ['7', ...FOUND.map(({ seed }) => seed), '7', '8'];
    const finished = await simulate(...seeds.flatMap((seed) => ['--seed', seed]));
    t.equal(finished.status, 0, finished.stdout.slice(-3000));
    for (const { seed, plan, fault } of FOUND) {
      const said = ofSeed(finished, seed).join('');
      t.match(said, plan, `seed ${seed}: ${fault}`);
      t.notMatch(said, /FAILED/);
    }
    const [first = '', again = ''] = ofSeed(finished, '7');
    t.match(hashOf(first), /./);
    t.equal(hashOf(again), hashOf(first));
    t.equal(hashOf((await simulate('--seed', '7')).stdout), hashOf(first));
    t.not(hashOf(ofSeed(finished, '8').join('')), hashOf(first));
  },
);
