/** The page's tables. */
import { formatBytes } from '../../text/bytes.js';
import { deviationPct, pointName, type HeadlineRow } from '../headline.js';
import { isBad, type ReportRow, type ReportedRun } from '../model.js';
import { threeDigits, timeText } from '../numbers.js';
import { markup, type Markup } from './markup.js';

/** Rows of one table. A browser lays out only those on the screen, so that the page opens at once. */
const ROWS_PER_TABLE = 100;
const ROW_PX = 29;

export const statusMarkup = (status: string, bad: boolean): Markup =>
  bad ? markup`<span class="bad">${status}</span>` : markup`<span class="good">${status}</span>`;

export const number = (text: string): Markup => markup`<td class="number">${text}</td>`;

/** Browsers would break `device->host` behind its hyphen. */
function phaseMarkup({
  phase,
  timing,
  direction,
}: Pick<ReportRow, 'phase' | 'timing' | 'direction'>): Markup {
  const words = [phase, timing, ...direction.split(' ')].filter((word) => word !== '');
  return markup`${words.map((word, at) => markup`${at > 0 && ' '}<span class="word">${word}</span>`)}`;
}

const HEADLINE = [
  'spec',
  'job',
  'kind',
  'phase',
  'rows',
  'best GB/s',
  '% of peak',
  'p50 there',
  'at',
  'deviation',
  'wrong',
];

export function headlineTable(rows: readonly HeadlineRow[]): Markup {
  const body = rows.map(({ suite, best, ...row }) => {
    return markup`<tr data-row>
<td>${suite.specName}</td><th scope="row"><a href="#${jobAnchor(suite.specName, suite.machine.layout, row.jobId)}">${row.jobId}</a></th><td>${row.kind}</td><td>${phaseMarkup(row)}</td>
<td>${statusMarkup(row.statuses, row.bad)}</td>${number(threeDigits(best?.totalGBps))}${number(threeDigits(best?.pctOfPeak))}${number(timeText(best?.p50Us))}
<td>${best ? pointName(best) : ''}</td>${number(percent(row.worstDeviationPct))}${number(String(row.wrong))}</tr>
`;
  });
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="Table of the headline"><table>
<caption>The fastest row of each job. Deviation: the largest standard deviation of the samples of one row, over their mean; it says nothing about variation between runs.</caption>
<thead><tr>${HEADLINE.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead><tbody>
${body}</tbody></table></div>`;
}

export function jobAnchor(specName: string, layout: string, jobId: string): string {
  return `job-${encodeURIComponent(`${specName}-${layout}-${jobId}`)}`;
}

const percent = (value: number | undefined): string => (value === undefined ? '' : `${threeDigits(value)} %`);

/** Name, width in percent, and whether it holds figures. */
const COLUMNS = [
  ['point', 16, false],
  ['phase', 13, false],
  ['strategy', 9, false],
  ['payload', 7, true],
  ['p50', 7, true],
  ['p95', 7, true],
  ['max', 7, true],
  ['dev.', 6, true],
  ['GB/s', 6, true],
  ['% peak', 6, true],
  ['slowest', 8, false],
  ['status', 8, false],
] as const;

/** Every row of one job of the newest run. */
export function rowTables(jobId: string, rows: readonly ReportRow[]): Markup {
  const head = markup`<colgroup>${COLUMNS.map(([, width]) => markup`<col style="width:${width}%">`)}</colgroup>
<thead><tr>${COLUMNS.map(([name, , figures]) => markup`<th scope="col"${figures && markup` class="number"`}>${name}</th>`)}</tr></thead>`;
  const tables: Markup[] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_TABLE) {
    const part = rows.slice(at, at + ROWS_PER_TABLE);
    const caption = `Rows ${at + 1} to ${at + part.length} of ${rows.length} of ${jobId}`;
    // What is not on the screen is taken for this high, so that the page hardly moves as it scrolls.
    const heightPx = ROW_PX * (part.length + 2);
    tables.push(markup`<div data-block style="contain-intrinsic-size: auto ${heightPx}px"><table><caption>${caption}</caption>${head}<tbody>
${part.map(rowMarkup)}</tbody></table></div>`);
  }
  return markup`<div class="scroll rows" tabindex="0" role="region" aria-label="Rows of ${jobId}">${tables}</div>`;
}

function rowMarkup(row: ReportRow): Markup {
  const bad = isBad(row.status);
  const strategy = [row.strategy, row.transport].filter((part) => part !== '').join(', ');
  const share = row.slowestSharePct === undefined ? '' : ` (${threeDigits(row.slowestSharePct)} %)`;
  return markup`<tr data-row><th scope="row">${pointName(row)}</th><td>${phaseMarkup(row)}</td><td>${strategy}</td>${number(row.payloadBytes === undefined ? '' : formatBytes(row.payloadBytes))}${number(timeText(row.p50Us))}${number(timeText(row.p95Us))}${number(timeText(row.maxUs))}${number(percent(deviationPct(row)))}${number(threeDigits(row.totalGBps))}${number(threeDigits(row.pctOfPeak))}<td>${row.slowestRank === undefined ? '' : `rank ${row.slowestRank}${share}`}</td><td>${statusMarkup(row.status, bad)}${endText(row)}</td></tr>
`;
}

function endText(row: ReportRow): Markup {
  const rank = row.errorRank === '' ? '' : ` rank ${row.errorRank}`;
  const wrong = (row.wrong ?? 0) > 0 ? ` ${row.wrong} wrong` : '';
  const text = [row.errorCode, row.error].filter((part) => part !== '').join(': ');
  return markup`${rank}${wrong}${text !== '' && markup`<br>${text}`}`;
}

export function runTable(runs: readonly ReportedRun[]): Markup {
  const body = runs.map((run) => {
    const { machine } = run;
    const gpu = machine.driverMajor === null ? '' : `, driver ${machine.driverMajor}`;
    const nccl = machine.nccl === null ? '' : `, NCCL ${machine.nccl}`;
    const good = run.outcome === 'ok' && run.complaints.length === 0;
    return markup`<tr data-row><th scope="row">${run.runId}</th><td>${run.startedAt.toISOString()}</td><td>${run.specName}</td><td>${run.specDigest.slice(0, 12)}</td><td>${run.worldSize} (${machine.layout})</td><td>${machine.device} ${machine.deviceName}${gpu}</td><td>${machine.mpi ?? ''}${nccl}</td><td>${run.railrunnerVersion} ${run.commit.replace(/^([0-9a-f]{12})[0-9a-f]*/, '$1')}</td><td>${statusMarkup(run.outcome, !good)}</td></tr>
`;
  });
  const head = [
    'run',
    'started',
    'spec',
    'digest',
    'ranks (of each node)',
    'device',
    'MPI',
    'railrunner',
    'outcome',
  ];
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="Table of runs"><table><caption>Oldest first.</caption>
<thead><tr>${head.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead><tbody>
${body}</tbody></table></div>`;
}
