/** `railrunner report RUN...` */
import type { CommandModule } from 'yargs';
import { thresholdsOf, withThresholdOptions, type ThresholdArguments } from './threshold-options.js';
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

export const reportCommand = (version: string): CommandModule<object, ReportArguments> => ({
  command: 'report <runs..>',
  describe: 'Turn run folders into an HTML page and into the formats that trackers read',
  builder: (yargs) =>
    withThresholdOptions(yargs)
      .positional('runs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Folders of runs (results/<run-id>): several are repeats of one another, or shards of one run. Or one folder of `ab`',
      })
      .option('earlier', {
        type: 'string',
        array: true,
        default: [],
        describe: 'Folders of older runs, for the history alone',
      })
      .option('against', {
        type: 'string',
        array: true,
        default: [],
        describe: 'Folders of baseline runs: each key is judged as `compare` does',
      })
      .option('verdict', {
        type: 'string',
        describe: 'Show this verdict (verdict.json of `ab`, or a file of `compare --json`)',
      })
      .option('history', {
        type: 'string',
        describe: 'Folder that `compare --history` keeps: its runs join the history, nothing is added',
      })
      .option('out', {
        type: 'string',
        default: 'report',
        describe: 'Folder for the files; older ones are replaced',
      })
      .option('format', {
        type: 'string',
        array: true,
        default: [],
        coerce: (values: readonly string[]) => values.flatMap((value) => value.split(',')),
        describe: `Only these, comma-separated: ${FORMAT_NAMES.join(', ')}`,
      })
      .option('title', { type: 'string', describe: 'Title of the page; the name of the spec where absent' })
      .check((argv) => {
        const { format, verdict, against } = argv as unknown as ReportArguments;
        if (verdict !== undefined && against.length > 0) {
          throw new Error('--verdict: it was passed on runs already, so leave out --against');
        }
        const unknown = format.find((name) => !FORMAT_NAMES.includes(name));
        if (unknown === undefined) return true;
        throw new Error(`--format: expected ${FORMAT_NAMES.join(', ')}; received ${JSON.stringify(unknown)}`);
      }) as never,
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
