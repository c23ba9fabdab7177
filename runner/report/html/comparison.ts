/** A against B, and changes over time, as tables. */
import type { Course } from '../courses.js';
import type { Comparison, Judged } from '../model.js';
import { changeText, ratioText } from '../numbers.js';
import { markup, type Markup } from './markup.js';
import { number, statusMarkup } from './tables.js';

const WORDS_GOOD = new Set(['equal', 'improved']);
const WORDS_OPEN = new Set(['too noisy', 'new']);
const HEAD = ['verdict', 'key', 'change', 'from', 'to', 'would see', 'P(B>A)', 'pairs', 'by', 'why'];

export function comparisonTable({ judged, baseline, candidate }: Comparison): Markup {
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="Table of the comparison"><table>
<caption>Change of the median time, ${candidate} against ${baseline}; plus is slower. Would see: the smallest change that this comparison could not have missed. P(B&gt;A): share of pairs in which the candidate was slower.</caption>
<thead><tr>${HEAD.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead><tbody>
${judged.map(judgedRow)}</tbody></table></div>`;
}

function judgedRow(entry: Judged): Markup {
  const word = WORDS_OPEN.has(entry.word)
    ? entry.word
    : statusMarkup(entry.word, !WORDS_GOOD.has(entry.word));
  const see = entry.wouldSeePct === undefined ? '' : `${entry.wouldSeePct.toFixed(1)} %`;
  const share = entry.slowerShare === undefined ? '' : entry.slowerShare.toFixed(2);
  const pairs = entry.numPairs === 0 ? '' : String(entry.numPairs);
  return markup`<tr data-row><td>${word}</td><th scope="row">${entry.key}</th>${number(ratioText(entry.ratio))}${number(ratioText(entry.ratioLow))}${number(ratioText(entry.ratioHigh))}${number(see)}${number(share)}${number(pairs)}<td>${entry.basis === 'none' ? '' : entry.basis}</td><td>${entry.note}</td></tr>
`;
}

/** Keys whose level changed; false where none did. */
export function changesTable(courses: readonly Course[]): Markup | false {
  const rows = courses.flatMap(({ name, changes }) =>
    changes.map(
      ({ step, changePct, p }) =>
        markup`<tr data-row><th scope="row">${name}</th>${number(changeText(changePct))}<td>${step.run}</td><td>${step.startedAt.toISOString()}</td>${number(p.toPrecision(2))}</tr>
`,
    ),
  );
  if (rows.length === 0) return false;
  const head = ['key', 'change', 'from run', 'started', 'p'];
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="Table of changes over time"><table>
<caption>Changes of level (E-divisive, tested by permutation on runs that did not choose the split); plus is slower.</caption>
<thead><tr>${head.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead><tbody>
${rows}</tbody></table></div>`;
}
