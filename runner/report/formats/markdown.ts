/** Markdown for a pull request or a job summary: what is wrong first, then what changed, then the headline. */
import { isBad, type Comparison, type Report } from '../model.js';
import { headlineOf, pointName, verdictOf } from '../headline.js';
import { coursesOf } from '../courses.js';
import { changeText, ratioText, threeDigits, timeText } from '../numbers.js';
import type { KeyFigures } from '../repeats.js';
import type { ReportFormat } from './format.js';

/** GitHub refuses a comment of more than 65 536 characters. */
const MOST_CHARACTERS = 60_000;

export const markdownFormat: ReportFormat = {
  write: (report, figures) => [{ name: 'report.md', text: markdown(report, figures) }],
};

interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function markdown(report: Report, figures: readonly KeyFigures[]): string {
  const sections = [
    missingSection(report),
    failedSection(figures),
    changedSection(report.comparison),
    levelsSection(report),
    headlineSection(report),
  ];
  const lines = [`## railrunner: ${plain(report.title)}`, '', plain(verdictOf(report)), ''];
  if (report.comparison) lines.push(plain(report.comparison.summary), '');
  let left = MOST_CHARACTERS - length(lines);
  for (const section of sections) {
    if (section === undefined) continue;
    const text = tableLines(section, left);
    lines.push(...text);
    left -= length(text);
  }
  lines.push(
    `railrunner ${report.version}. Times are medians of the completion time over all ranks; GB = 1e9 bytes.`,
    '',
  );
  return lines.join('\n');
}

const length = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + line.length + 1, 0);

/** As many rows as fit; what does not is counted. */
function tableLines({ title, head, rows }: Section, left: number): string[] {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines = [`### ${title}`, '', row(head), row(head.map(() => '---'))];
  let room = left - length(lines) - 200;
  let shown = 0;
  for (const cells of rows) {
    const line = row(cells);
    room -= line.length + 1;
    if (room < 0) break;
    lines.push(line);
    shown += 1;
  }
  if (shown < rows.length) lines.push('', `${rows.length - shown} more are in the full report.`);
  return [...lines, ''];
}

function missingSection(report: Report): Section | undefined {
  const complaints = [
    ...report.complaints,
    ...report.suites.flatMap((suite) => suite.runs.flatMap((run) => run.complaints)),
  ];
  if (complaints.length === 0) return undefined;
  return { title: 'Missing or damaged', head: ['what'], rows: complaints.map((text) => [code(text)]) };
}

function failedSection(figures: readonly KeyFigures[]): Section | undefined {
  const failed = figures.filter((figure) => isBad(figure.status));
  if (failed.length === 0) return undefined;
  const rows = failed.map(({ name, status, worst }) => [
    code(name),
    status,
    worst.errorRank,
    code(worst.errorCode),
    code(worst.error),
  ]);
  return { title: 'Not ok', head: ['key', 'status', 'rank', 'code', 'error'], rows };
}

function changedSection(comparison: Comparison | undefined): Section | undefined {
  if (comparison === undefined) return undefined;
  const told = comparison.judged.filter((entry) => entry.word !== 'equal');
  if (told.length === 0) return undefined;
  const rows = told.map((entry) => [
    code(entry.key),
    entry.word,
    ratioText(entry.ratio),
    entry.wouldSeePct === undefined ? '' : `${entry.wouldSeePct.toFixed(1)} %`,
    plain(entry.note),
  ]);
  return { title: 'Against the baseline', head: ['key', 'verdict', 'time', 'would see', 'why'], rows };
}

/** Of all suites: from which run on a key is slower or faster. */
function levelsSection(report: Report): Section | undefined {
  const rows = report.suites
    .flatMap(coursesOf)
    .flatMap(({ name, changes }) =>
      changes.map(({ step, changePct }) => [
        code(name),
        changeText(changePct),
        code(step.run),
        step.startedAt.toISOString().slice(0, 10),
      ]),
    );
  if (rows.length === 0) return undefined;
  return { title: 'Changes over time', head: ['key', 'time', 'from run', 'day'], rows };
}

function headlineSection(report: Report): Section {
  const rows = headlineOf(report).map((row) => [
    code(row.jobId),
    code([row.phase, row.timing, row.direction].filter((part) => part !== '').join(' ')),
    row.statuses,
    threeDigits(row.best?.totalGBps),
    threeDigits(row.best?.pctOfPeak),
    timeText(row.best?.p50Us),
    row.best ? code(pointName(row.best)) : '',
  ]);
  return {
    title: 'Best of each job',
    head: ['job', 'phase', 'points', 'GB/s', '% of peak', 'p50', 'at'],
    rows,
  };
}

/** A code span: nothing in it is markup, a mention or a link. A bar would end the cell even there. */
function code(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  if (line === '') return '';
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = longest > 0 ? ' ' : '';
  return `${fence}${pad}${line.replaceAll('|', '\\|')}${pad}${fence}`;
}

function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]<>#|@]/g, (found) => `\\${found}`);
}
