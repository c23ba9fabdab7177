/** `railrunner ab SPEC --a PREFIX --b PREFIX -n N` */
import type { CommandModule } from 'yargs';
import { wholeNumber, withOptions, type CliOptions } from './options.js';
import { thresholdsOf, THRESHOLD_OPTIONS, type ThresholdArguments } from './threshold-options.js';

interface AbArguments extends ThresholdArguments {
  readonly spec: string;
  readonly a: string;
  readonly b: string;
  readonly n: number;
  readonly launcher: string;
  readonly pairs: number;
  readonly confirmPairs: number;
  readonly budget: number | undefined;
  readonly out: string;
  readonly resume: string | undefined;
}

const AB_OPTIONS: CliOptions<AbArguments> = {
  ...THRESHOLD_OPTIONS,
  spec: { positional: true, type: 'string', required: true, describe: 'Path of a JSON spec' },
  a: {
    type: 'string',
    nargs: 1,
    default: '',
    describe: 'The baseline: "NAME=value ... BUILD --set path=value ..."; empty means this build',
  },
  b: { type: 'string', nargs: 1, default: '', describe: 'The candidate, in the same form' },
  n: { type: 'number', default: 1, describe: 'Number of ranks', expected: wholeNumber(1, 10_000) },
  launcher: {
    type: 'string',
    default: '',
    describe: 'Command that starts the ranks, for example "srun -n 4" [default: `launch -n` on this machine]',
  },
  pairs: {
    type: 'number',
    default: 6,
    describe: 'Pairs of runs of all points',
    expected: wholeNumber(6, 10_000),
  },
  confirmPairs: {
    type: 'number',
    default: 10,
    describe: 'Fresh pairs of the points that the first pairs flagged',
    expected: wholeNumber(6, 10_000),
  },
  budget: {
    type: 'number',
    describe: 'Stop after this many seconds and judge what has been measured',
    expected: ['seconds above 0', (value) => value > 0],
  },
  out: { type: 'string', default: 'results', describe: "Parent folder of the comparison's own folder" },
  resume: { type: 'string', describe: 'Continue the comparison in this folder' },
};

export const abCommand = (version: string): CommandModule<object, AbArguments> => ({
  command: 'ab <spec>',
  describe: 'Compare two builds, environments or settings, interleaved: exit 0, 5 regression, 6 no verdict',
  builder: (yargs) => withOptions(yargs, AB_OPTIONS),
  handler: (argv) => compareSides(argv, version),
});

async function compareSides(argv: AbArguments, version: string): Promise<void> {
  const [{ finish }, { compareBuilds }, { verdictText }, { printError }] = await Promise.all([
    import('./command-result.js'),
    import('../compare/compare-builds.js'),
    import('../compare/verdict-text.js'),
    import('../print.js'),
  ]);
  const { spec, a, b, launcher, resume } = argv;
  const { verdict, folder, exitStatus } = await compareBuilds({
    spec,
    a,
    b,
    launcher,
    resume,
    numRanks: argv.n,
    numPairs: argv.pairs,
    numFreshPairs: argv.confirmPairs,
    budgetSeconds: argv.budget,
    outFolder: argv.out,
    ...thresholdsOf(argv),
    onRun: (name) => printError(`measuring ${name}`),
  });
  const stopped = exitStatus > 128;
  const report = stopped ? undefined : await reportOn(folder, version);
  finish({
    stdout: `${verdictText(verdict)}\nresults in ${folder}${report ? `, report in ${report}` : ''}`,
    stderr: '',
    exitStatus,
  });
}

/** Both sides, the verdict and the runs, in every format; undefined where no run of B ended. */
async function reportOn(folder: string, version: string): Promise<string | undefined> {
  const [{ join }, { openAbFolder }, { writeReport }] = await Promise.all([
    import('node:path'),
    import('../compare/ab-folder.js'),
    import('../report/write-report.js'),
  ]);
  const ab = openAbFolder(folder);
  if (ab === undefined || ab.wholeCandidate.length === 0) return undefined;
  const outFolder = join(folder, 'report');
  await writeReport({
    runs: [folder],
    comparison: undefined,
    earlier: [],
    history: undefined,
    title: undefined,
    outFolder,
    formats: [],
    version,
  });
  return outFolder;
}
