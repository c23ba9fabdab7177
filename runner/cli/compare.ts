/** `railrunner compare CANDIDATE... --against BASELINE...` */
import type { CommandModule } from 'yargs';
import type { Verdict } from '../compare/verdict.js';
import { thresholdsOf, withThresholdOptions, type ThresholdArguments } from './threshold-options.js';

interface CompareArguments extends ThresholdArguments {
  readonly candidate: readonly string[];
  readonly against: readonly string[];
  readonly ratioOnly: boolean;
  readonly json: string | undefined;
  readonly report: string | undefined;
  readonly history: string | undefined;
}

export const compareCommand = (version: string): CommandModule<object, CompareArguments> => ({
  command: 'compare <candidate..>',
  describe: 'Judge runs against earlier ones: exit 0 no regression, 5 regression, 6 no verdict',
  builder: (yargs) =>
    withThresholdOptions(yargs)
      .positional('candidate', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Folders of the runs to judge (results/<run-id>)',
      })
      .option('against', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'Folders of the runs to judge them by',
      })
      .option('history', {
        type: 'string',
        describe:
          'Folder of figures of earlier runs: adds the candidates, names changes, and is the baseline without --against',
      })
      .check((argv) => {
        const { against, history } = argv as unknown as CompareArguments;
        if (against.length > 0 || history !== undefined) return true;
        throw new Error('expected --against BASELINE..., or --history DIR');
      })
      .option('ratio-only', {
        type: 'boolean',
        default: false,
        describe: 'Compare shares of the probed peak instead of times, over machine classes too',
      })
      .option('json', { type: 'string', describe: 'Write the verdict to this file, too' })
      .option('report', {
        type: 'string',
        describe: 'Write a report of the candidates with this verdict to this folder, too',
      }) as never,
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
