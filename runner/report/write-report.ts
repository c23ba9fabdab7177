/** The work of `report`: folders in, files out, and whether all of it is good. */
import { readVerdict } from '../compare/read-verdict.js';
import { EXIT, worstExit, type RunnerError } from '../errors.js';
import { abFolderOf, compareSides, type ComparisonSource } from './comparison.js';
import { collect } from './collect.js';
import { REPORT_FORMATS } from './formats/index.js';
import { FORMAT_NAMES, type FormatName, type OutputFile } from './formats/format.js';
import { verdictOf } from './headline.js';
import { isWhole, type Report, type Suite } from './model.js';
import { figuresOf } from './repeats.js';
import { writeFiles } from './write-files.js';

export interface ReportRequest {
  /** Folders of runs, or one folder of `ab`. */
  readonly runs: readonly string[];
  readonly comparison: ComparisonSource | undefined;
  readonly earlier: readonly string[];
  readonly history: string | undefined;
  readonly outFolder: string;
  /** Empty = all. */
  readonly formats: readonly FormatName[];
  readonly title: string | undefined;
  /** Of railrunner, for the page's foot. */
  readonly version: string;
}

export interface WrittenReport {
  readonly files: readonly string[];
  readonly sentence: string;
  /** What is missing or damaged. */
  readonly complaints: readonly string[];
  /** 0 where everything named was read, measured and right. */
  readonly exitStatus: number;
}

/** Rejects with E_RUN_READ where no run can be read, E_USAGE where one was named twice, E_OUTPUT where a file cannot be written. */
export async function writeReport(request: ReportRequest): Promise<WrittenReport> {
  const ab = abFolderOf(request.runs, request.comparison);
  const source = ab ? { verdict: await readVerdict(ab.verdict), against: ab.baseline } : request.comparison;
  const { suites, readable, unreadable, strangers } = await collect({
    runs: ab?.wholeCandidate ?? request.runs,
    earlier: request.earlier,
    against: source?.against ?? [],
    history: request.history,
  });
  const against = await compareSides(source, ab?.candidate ?? readable.runs, readable.against);
  const report: Report = {
    title: request.title ?? titleOf(suites),
    version: request.version,
    suites,
    comparison: against.comparison,
    complaints: [
      ...unreadable.map((error) => error.message),
      ...against.complaints,
      ...strangers.map(strangerText),
    ],
  };
  const files = await writeFiles(request.outFolder, await render(report, request.formats));
  const shown = suites.flatMap((suite) => suite.runs);
  return {
    files,
    sentence: [verdictOf(report), report.comparison?.summary].filter((text) => text !== undefined).join('\n'),
    complaints: [...report.complaints, ...shown.flatMap((run) => run.complaints)],
    exitStatus: statusOf(report, unreadable),
  };
}

export async function render(report: Report, names: readonly FormatName[]): Promise<OutputFile[]> {
  const figures = figuresOf(report);
  const wanted = FORMAT_NAMES.filter((name) => names.length === 0 || names.includes(name));
  const files: OutputFile[] = [];
  for (const name of wanted) files.push(...(await REPORT_FORMATS[name].write(report, figures)));
  return files;
}

const strangerText = (runId: string): string =>
  `earlier: ${runId} is of another spec, device or layout than every RUN, so it is not in the history`;

function titleOf(suites: readonly Suite[]): string {
  return [...new Set(suites.map((suite) => suite.specName))].join(', ');
}

function statusOf(report: Report, unreadable: readonly RunnerError[]): number {
  const statuses = unreadable.map((error) => error.exitStatus);
  return worstExit([isWhole(report) ? EXIT.ok : EXIT.failed, ...statuses]);
}
