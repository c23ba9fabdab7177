/**
 * JUnit XML, the subset that GitLab, GitHub reporters and Jenkins read alike: no properties, no `error` (some take it for
 * a pass), the text of a failure as message and body, the suite in `classname`, figures in system-out.
 */
import { escapeMarkup } from '../escape.js';
import type { Word } from '../../compare/verdict.js';
import { isBad, type Comparison, type Report } from '../model.js';
import { ratioText } from '../numbers.js';
import type { KeyFigures, OverRuns } from '../repeats.js';
import { groupBy } from '../group-by.js';
import { firstOf } from '../../values/items.js';
import type { ReportFormat } from './format.js';

interface Case {
  readonly suite: string;
  readonly name: string;
  readonly seconds: number;
  readonly failure?: string;
  readonly skipped?: string;
  readonly output?: string;
}

export const junitFormat: ReportFormat = {
  write: (report, figures) => [{ name: 'junit.xml', text: junitXml(report, figures) }],
};

function junitXml(report: Report, figures: readonly KeyFigures[]): string {
  const suites = groupBy(
    [...runCases(report), ...figures.map(caseOf), ...judgedCases(report.comparison)],
    (entry) => entry.suite,
  );
  const { startedAt } = firstOf(firstOf(report.suites).runs);
  const timestamp = startedAt.toISOString().replace(/\.\d+Z$/, '');
  const all = [...suites.values()].flat();
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: report.title, ...counts(all) })}>`,
    ...[...suites].flatMap(([name, cases]) => [
      `  <testsuite${attributes({ name, ...counts(cases), timestamp })}>`,
      ...cases.flatMap(caseLines),
      '  </testsuite>',
    ]),
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

/** One case for each run, so that what is missing fails something too. */
function runCases(report: Report): Case[] {
  const ofRuns = report.suites.flatMap((suite) =>
    suite.runs.map((run): Case => {
      const seen = run.complaints.join('\n');
      const failed = run.outcome !== 'ok' || run.complaints.length > 0;
      const name = `run ${run.runId}`;
      return { suite: `${run.specName}.run`, name, seconds: 0, ...(failed ? { failure: seen } : {}) };
    }),
  );
  const unread = report.complaints.map((failure, at): Case => {
    const name = `folder ${at + 1} that cannot be read`;
    return { suite: 'railrunner.run', name, seconds: 0, failure };
  });
  return [...ofRuns, ...unread];
}

function caseOf(figure: KeyFigures): Case {
  const { key, worst, status } = figure;
  const suite = `${key.specName}.${key.jobId}`;
  // Names begin with the spec and the job, which stand in the suite; of equal names GitLab counts the first only.
  const name = figure.name.slice(`${key.specName}/${key.jobId}/`.length);
  const base = { suite, name, seconds: figure.timedSeconds };
  const rank = worst.errorRank === '' ? '' : ` on rank ${worst.errorRank}`;
  const why = [`${status}${rank}`, worst.errorCode, worst.error].filter((part) => part !== '').join(': ');
  if (isBad(status)) return { ...base, failure: why, output: outputOf(figure) };
  if (status === 'skipped') return { ...base, skipped: why };
  return { ...base, output: outputOf(figure) };
}

/** Where the runs were judged: what is slower or lost fails, what could not be told is skipped. */
function judgedCases(comparison: Comparison | undefined): Case[] {
  return (comparison?.judged ?? []).map((entry): Case => {
    const base = { suite: 'railrunner.comparison', name: entry.key, seconds: 0 };
    const change = entry.ratio === undefined ? '' : ` ${ratioText(entry.ratio)}`;
    const why = `${entry.word}${change}${entry.note === '' ? '' : `: ${entry.note}`}`;
    if (FAILING_WORDS.has(entry.word)) return { ...base, failure: why };
    return entry.word === 'too noisy' ? { ...base, skipped: why } : { ...base, output: why };
  });
}

const FAILING_WORDS: ReadonlySet<Word> = new Set(['regressed', 'failed', 'missing']);

function outputOf(figure: KeyFigures): string {
  const line = (name: string, over: OverRuns | undefined): string[] =>
    over === undefined
      ? []
      : [
          over.count === 1
            ? `${name} ${over.median}`
            : `${name} ${over.median} (${over.min} to ${over.max} in ${over.count} runs)`,
        ];
  return [
    `status ${figure.status}`,
    ...line('t_p50_us', figure.p50Us),
    ...line('aggregate_GBps', figure.totalGBps),
    ...line('aggregate_pct_of_peak', figure.pctOfPeak),
    `wrong ${figure.wrong}`,
    `series ${figure.key.series}`,
  ].join('\n');
}

function counts(cases: readonly Case[]): Record<string, string> {
  const seconds = cases.reduce((sum, entry) => sum + entry.seconds, 0);
  return {
    tests: String(cases.length),
    failures: String(cases.filter((entry) => entry.failure !== undefined).length),
    errors: '0',
    skipped: String(cases.filter((entry) => entry.skipped !== undefined).length),
    time: seconds.toFixed(6),
  };
}

function caseLines(entry: Case): string[] {
  const open = `    <testcase${attributes({ classname: entry.suite, name: entry.name, time: entry.seconds.toFixed(6) })}>`;
  const inside: string[] = [];
  if (entry.failure !== undefined) {
    inside.push(
      `      <failure${attributes({ message: entry.failure })}>${escapeXml(entry.failure)}</failure>`,
    );
  }
  if (entry.skipped !== undefined) {
    inside.push(
      `      <skipped${attributes({ message: entry.skipped })}>${escapeXml(entry.skipped)}</skipped>`,
    );
  }
  if (entry.output !== undefined) inside.push(`      <system-out>${escapeXml(entry.output)}</system-out>`);
  return [open, ...inside, '    </testcase>'];
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(
      ([name, value]) =>
        ` ${name}="${escapeXml(value).replaceAll(/[\n\r\t]/g, (found) => `&#${found.charCodeAt(0)};`)}"`,
    )
    .join('');
}

/** What XML 1.0 cannot hold in any spelling: control characters and lone surrogates. */
const NOT_IN_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

function escapeXml(text: string): string {
  return escapeMarkup(text.replaceAll(NOT_IN_XML, '\u{fffd}'));
}
