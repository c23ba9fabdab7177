/** `railrunner compare CANDIDATE... --against BASELINE...` */
import type { CommandModule } from 'yargs';
import type { Verdict } from '../compare/verdict.js';
import { withOptions, type CliOptions } from './options.js';
import { THRESHOLD_OPTIONS, thresholdsOf, type ThresholdArguments } from './threshold-options.js';

interface CompareArguments extends ThresholdArguments {
  readonly candidate: readonly string[];
  readonly against: readonly string[];
  readonly ratioOnly: boolean;
  readonly json: string | undefined;
  readonly report: string | undefined;
  readonly history: string | undefined;
}

const COMPARE_OPTIONS: CliOptions<CompareArguments> = {
  ...THRESHOLD_OPTIONS,
  candidate: {
    positional: true,
    array: true,
    required: true,
    describe: 'Folders of the runs to judge (results/<run-id>)',
  },
  against: { array: true, describe: 'Folders of the baseline runs' },
  history: {
    type: 'string',
    describe:
      'Folder with the figures of earlier runs: adds the candidates, reports level changes, and serves as baseline without --against',
  },
  ratioOnly: {
    type: 'boolean',
    default: false,
    describe: 'Compare percentages of the probed peak instead of times, also across machine classes',
  },
  json: { type: 'string', describe: 'Also write the verdict to this file' },
  report: {
    type: 'string',
    describe: 'Also write a report with this verdict to this folder',
  },
};

export const compareCommand = (version: string): CommandModule<object, CompareArguments> => ({
  command: 'compare <candidate..>',
  describe: 'Judge runs against earlier ones: exit 0 no regression, 5 regression, 6 no verdict',
  builder: (yargs) =>
    withOptions(yargs, COMPARE_OPTIONS).check(({ against, history }) => {
      if (against.length > 0 || history !== undefined) return true;
      throw new Error('expected --against BASELINE..., or --history DIR');
    }),
  handler: async (argv) => {
    const [{ finish }, { compareFolders }, { verdictText }, { writeVerdict }, { exitOfVerdict }] =
      await Promise.all([
        import('./command-result.js'),
        import('../compare/compare-runs.js'),
        import('../compare/verdict-text.js'),
        import('../compare/write-verdict.js'),
        import('../compare/verdict.js'),
      ]);
    const verdict = await compareFolders({
      candidate: argv.candidate,
      baseline: argv.against,
      ratioOnly: argv.ratioOnly,
      history: argv.history,
      ...thresholdsOf(argv),
    });
    if (argv.json !== undefined) await writeVerdict(argv.json, verdict);
    const [where, ...complaints] = await reportOn(argv, verdict, version);
    finish({
      stdout: [verdictText(verdict), where].filter((line) => line !== undefined).join('\n'),
      stderr: complaints.join('\n'),
      exitStatus: exitOfVerdict(verdict),
    });
  },
});

async function reportOn(argv: CompareArguments, verdict: Verdict, version: string): Promise<string[]> {
  if (argv.report === undefined) return [];
  const { writeReport } = await import('../report/write-report.js');
  const written = await writeReport({
    runs: argv.candidate,
    comparison: { verdict, against: argv.against },
    earlier: [],
    history: argv.history,
    title: undefined,
    outFolder: argv.report,
    formats: [],
    version,
  });
  return [`report in ${argv.report}`, ...written.complaints];
}
