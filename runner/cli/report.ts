/** `railrunner report RUN...` */
import type { CommandModule } from 'yargs';
import { FORMAT_NAMES, type FormatName } from '../report/formats/format.js';

interface ReportArguments {
  readonly runs: readonly string[];
  readonly earlier: readonly string[];
  readonly against: readonly string[];
  readonly out: string;
  readonly format: readonly FormatName[];
  readonly title: string | undefined;
}

export const reportCommand = (version: string): CommandModule<object, ReportArguments> => ({
  command: 'report <runs..>',
  describe: 'Turn run folders into an HTML page and into the formats that trackers read',
  builder: (yargs) =>
    yargs
      .positional('runs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Folders of runs (results/<run-id>); several are repeats of one another, or shards of one run',
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
        describe: 'Folders of baseline runs: ratios of each key, without a verdict',
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
        const unknown = (argv as unknown as ReportArguments).format.find(
          (name) => !FORMAT_NAMES.includes(name),
        );
        if (unknown === undefined) return true;
        throw new Error(`--format: expected ${FORMAT_NAMES.join(', ')}; received ${JSON.stringify(unknown)}`);
      }) as never,
  handler: async (argv) => {
    const [{ finish }, { writeReport }] = await Promise.all([
      import('./command-result.js'),
      import('../report/write-report.js'),
    ]);
    const { runs, earlier, against, out: outFolder, format: formats, title } = argv;
    const written = await writeReport({ runs, earlier, against, outFolder, formats, title, version });
    finish({
      stdout: [written.sentence, ...written.files].join('\n'),
      stderr: written.complaints.join('\n'),
      exitStatus: written.exitStatus,
    });
  },
});
