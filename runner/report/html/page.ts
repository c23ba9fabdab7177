/** The report as one page that needs nothing else: no network, and no script to be read. */
import { createHash } from 'node:crypto';
import { coursesOf } from '../courses.js';
import { groupBy } from '../group-by.js';
import { headlineOf, verdictOf } from '../headline.js';
import { isWhole, newestRun, type RankTime, type Report, type ReportRow, type Suite } from '../model.js';
import { bandwidthPlot } from '../plots/bandwidth.js';
import { comparisonPlot } from '../plots/comparison.js';
import { distributionPlot } from '../plots/distribution.js';
import type { Plot } from '../plots/draw.js';
import { foundPlot } from '../plots/found.js';
import { historyPlot } from '../plots/history.js';
import { sidesPlot } from '../plots/sides.js';
import { placeOf, stragglerPlot } from '../plots/stragglers.js';
import { transportPlot } from '../plots/transports.js';
import { markup, Markup } from './markup.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';
import { changesTable, comparisonTable } from './comparison.js';
import { headlineTable, jobAnchor, rowTables, runTable } from './tables.js';

/** Each takes some 20 ms to draw; beyond these, jobs have their table only. */
const MOST_JOBS_WITH_PLOTS = 40;

export async function reportPage(report: Report): Promise<string> {
  const budget = { jobs: MOST_JOBS_WITH_PLOTS };
  const jobs: Markup[] = [];
  for (const suite of report.suites) jobs.push(await suiteSections(suite, report.suites.length > 1, budget));
  const body = markup`<a class="jump" href="#jobs">Skip to the jobs</a>
<header><h1>${report.title}</h1><p class="${isWhole(report) ? 'good' : 'bad'}">${verdictOf(report)}</p>${comparisonLine(report)}</header>
<main>
${noticeSection(report)}<div class="find" hidden><label for="find">Search rows </label><input id="find" type="search" autocomplete="off" placeholder="job, point, phase, status ..."><output id="found" for="find" aria-live="polite"></output></div>
<section data-block aria-labelledby="headline"><h2 id="headline">Headline</h2>
${headlineTable(headlineOf(report))}</section>
${await comparisonSection(report)}<div id="jobs">${jobs}</div>
${await historySections(report)}<section data-block aria-labelledby="runs"><h2 id="runs">Runs</h2>
${runTable(report.suites.flatMap((suite) => [...suite.earlier, ...suite.runs]))}</section>
</main>
<footer class="soft"><p>railrunner ${report.version}. Times are those of the slowest rank of each iteration; GB = 1e9 bytes. Columns and formulas: results/README.md of railrunner.</p></footer>
<div id="tip" hidden></div>`;
  return document(report.title, body);
}

/** The verdict where a reader looks first. */
function comparisonLine({ comparison }: Report): Markup | false {
  if (comparison === undefined) return false;
  return markup`<p class="${CLASS_OF_OUTCOME[comparison.outcome]}"><a href="#comparison">A against B</a>: ${comparison.summary}</p>`;
}

const CLASS_OF_OUTCOME = { regression: 'bad', 'no verdict': 'open', 'no regression': 'good' } as const;

/** Only the page's own script may run: what a CSV file holds can do nothing, even were it not escaped. */
function document(title: string, body: Markup): string {
  const digest = createHash('sha256').update(SCRIPT).digest('base64');
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'`;
  return markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${title}</title><link rel="icon" href="data:,"><style>${new Markup(STYLE)}</style></head>
<body>
${body}
<script>${new Markup(SCRIPT)}</script>
</body></html>
`.text;
}

function noticeSection(report: Report): Markup | false {
  const all = [
    ...report.complaints,
    ...report.suites.flatMap((suite) => suite.runs.flatMap((run) => run.complaints)),
    ...report.suites.flatMap((suite) => suite.earlier.flatMap((run) => run.complaints)),
  ];
  if (all.length === 0) return false;
  return markup`<section class="notice" aria-labelledby="missing"><h2 id="missing">Missing or damaged</h2><ul>${all.map((text) => markup`<li>${text}</li>`)}</ul></section>
`;
}

async function suiteSections(suite: Suite, several: boolean, budget: { jobs: number }): Promise<Markup> {
  const run = newestRun(suite);
  const times = groupBy(run.rankTimes, placeOf);
  const byJob = groupBy(run.rows, (row) => row.jobId);
  const sections: Markup[] = [];
  for (const [jobId, rows] of byJob) {
    const anchor = jobAnchor(suite.specName, suite.machine.layout, jobId);
    const where = several
      ? ` of ${suite.specName}, ${run.worldSize} ranks on ${suite.machine.deviceName}`
      : '';
    budget.jobs -= 1;
    const plots = budget.jobs >= 0 ? await jobPlots(rows, times, run.worldSize) : [];
    const none =
      budget.jobs < 0 &&
      markup`<p class="soft">No plots: the page has those of the first ${MOST_JOBS_WITH_PLOTS} jobs.</p>`;
    sections.push(markup`<section data-block aria-labelledby="${anchor}"><h2 id="${anchor}">${jobId} <span class="soft">(${rows[0]?.kind}${where})</span></h2>
${none}${figures(plots, jobId)}${rowTables(jobId, rows)}</section>
`);
  }
  return markup`${sections}`;
}

async function jobPlots(
  rows: readonly ReportRow[],
  times: ReadonlyMap<string, readonly RankTime[]>,
  worldSize: number,
): Promise<Plot[]> {
  const drawn = [
    await bandwidthPlot(rows),
    await distributionPlot(rows),
    await stragglerPlot(rows, times, worldSize),
    await transportPlot(rows),
    await foundPlot(rows),
  ];
  return drawn.filter((plot) => plot !== undefined);
}

/** `wide`: one below the other. */
function figures(plots: readonly Plot[], of: string, wide = false): Markup | false {
  if (plots.length === 0) return false;
  return markup`<div class="${wide ? 'plots wide' : 'plots'}">${plots.map(
    ({
      title,
      caption,
      words,
      svg,
    }) => markup`<figure><div role="img" aria-label="${title} of ${of}. ${words}">${new Markup(svg)}</div><figcaption><strong>${title}</strong>${caption}</figcaption></figure>
`,
  )}</div>`;
}

async function comparisonSection(report: Report): Promise<Markup | false> {
  const { comparison } = report;
  if (comparison === undefined) return false;
  const plots = [await comparisonPlot(comparison), await sidesPlot(comparison)];
  const notes = comparison.notes.map((note) => markup`<li>${note}</li>`);
  return markup`<section data-block aria-labelledby="comparison"><h2 id="comparison">A against B</h2><p class="${CLASS_OF_OUTCOME[comparison.outcome]}">${comparison.summary}</p>
${notes.length > 0 && markup`<ul class="soft">${notes}</ul>`}${figures(
    plots.filter((plot) => plot !== undefined),
    'the two',
    true,
  )}${comparisonTable(comparison)}</section>
`;
}

async function historySections(report: Report): Promise<Markup | false> {
  const parts: Markup[] = [];
  for (const suite of report.suites) {
    const courses = coursesOf(suite);
    const plot = await historyPlot(suite, courses);
    if (plot) parts.push(markup`${figures([plot], 'the runs', true)}${changesTable(courses)}`);
  }
  if (parts.length === 0) return false;
  return markup`<section data-block aria-labelledby="history"><h2 id="history">History</h2>${parts}</section>
`;
}
