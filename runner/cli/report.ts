/** `railrunner report RUN...` */
import type { CommandModule } from 'yargs';
import { withOptions, type CliOptions } from './options.js';
import { THRESHOLD_OPTIONS, thresholdsOf, type ThresholdArguments } from './threshold-options.js';
import type { ComparisonSource } from '../report/comparison.js';
import { FORMAT_NAMES, type FormatName } from '../report/formats/format.js';

interface ReportArguments extends ThresholdArguments {
  readonly runs: readonly string[];
  readonly earlier: readonly string[];
  readonly against: readonly string[];
  readonly verdict: string | undefined;
  readonly history: string | undefined;
  readonly out: string;
  readonly format: readonly FormatName[];
  readonly title: string | undefined;
}

const REPORT_OPTIONS: CliOptions<ReportArguments> = {
  ...THRESHOLD_OPTIONS,
  runs: {
    positional: true,
    array: true,
    required: true,
    describe:
      'Folders of runs (results/<run-id>): several are repeats of one another, or shards of one run. Or one folder of `ab`',
  },
  earlier: { array: true, describe: 'Folders of older runs, only for the history' },
  against: { array: true, describe: 'Folders of baseline runs: each key is judged as `compare` does' },
  verdict: {
    type: 'string',
    describe: 'Show this verdict (verdict.json of `ab`, or a file of `compare --json`)',
  },
  history: {
    type: 'string',
    describe: 'Folder written by `compare --history`: its runs are shown in the history',
  },
  out: { type: 'string', default: 'report', describe: 'Folder for the files; existing ones are replaced' },
  format: {
    array: true,
    split: true,
    describe: `Formats to write, comma-separated [default: all]: ${FORMAT_NAMES.join(', ')}`,
    expected: [FORMAT_NAMES.join(', '), (name) => FORMAT_NAMES.includes(name)],
  },
  title: { type: 'string', describe: "Title of the page [default: the spec's name]" },
};

export const reportCommand = (version: string): CommandModule<object, ReportArguments> => ({
  command: 'report <runs..>',
  describe: 'Write an HTML page and files for regression trackers from run folders',
  builder: (yargs) =>
    withOptions(yargs, REPORT_OPTIONS).check(({ verdict, against }) => {
      if (verdict === undefined || against.length === 0) return true;
      throw new Error('--verdict: it was passed on runs already, so leave out --against');
    }),
  handler: (argv) => report(argv, version),
});

async function report(argv: ReportArguments, version: string): Promise<void> {
  const [{ finish }, { writeReport }] = await Promise.all([
    import('./command-result.js'),
    import('../report/write-report.js'),
  ]);
  const { runs, earlier, history, title, out: outFolder, format: formats } = argv;
  const comparison = await sourceOf(argv);
  const written = await writeReport({
    runs,
    comparison,
    earlier,
    history,
    title,
    outFolder,
    formats,
    version,
  });
  finish({
    stdout: [written.sentence, ...written.files].join('\n'),
    stderr: written.complaints.join('\n'),
    exitStatus: written.exitStatus,
  });
}

async function sourceOf(argv: ReportArguments): Promise<ComparisonSource | undefined> {
  if (argv.verdict !== undefined) {
    const { readVerdict } = await import('../compare/read-verdict.js');
    return { verdict: await readVerdict(argv.verdict), against: [] };
  }
  return argv.against.length === 0 ? undefined : { against: argv.against, thresholds: thresholdsOf(argv) };
}
