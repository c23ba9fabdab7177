/** The hit rates of `simulate` over the size of the cache, as a self-contained SVG. */
import { draw, SERIES_COLORS, WIDE } from '../report/plots/draw.js';
import { parseJsonObject } from '../values/json.js';
import { lastOf } from '../values/items.js';
import { readNumber, readText } from '../values/keys.js';

/** A size of the cache, as far as the plot needs it. */
interface Row {
  readonly policy: string;
  readonly capacityBlocks: number;
  readonly hitPct: number;
}

/** Without those of a cache without a bound, which have no place on the axis. */
interface Answer {
  readonly trace: string;
  readonly rows: readonly Row[];
}

/** Throws where the text is not what `simulate --format json` prints. */
function answerOf(text: string): Answer {
  const { trace, rows } = parseJsonObject(text);
  if (!Array.isArray(rows)) throw new TypeError('expected rows');
  return {
    trace: String(trace),
    rows: rows
      .filter((row) => row['capacityBlocks'] !== null)
      .map((row) => ({
        policy: readText(row, 'policy'),
        capacityBlocks: readNumber(row, 'capacityBlocks'),
        hitPct: readNumber(row, 'hitPct'),
      })),
  };
}

/** Points of a curve; the eye sees no more. */
const MOST_POINTS = 300;

/** Evenly in the logarithm of the capacity, with the first and the last. */
function thinned(rows: readonly Row[]): Row[] {
  const step = Math.log(Math.max(2, lastOf(rows).capacityBlocks)) / MOST_POINTS;
  let next = -Infinity;
  return rows.filter(({ capacityBlocks }, at) => {
    const place = Math.log(capacityBlocks);
    if (place < next && at !== rows.length - 1) return false;
    next = place + step;
    return true;
  });
}

/** `answer`: what `simulate --format json` prints. */
export async function hitRatePlot(answer: string): Promise<string> {
  const { trace, rows } = answerOf(answer);
  const policies = [...new Set(rows.map(({ policy }) => policy))];
  const values = policies.flatMap((name) =>
    thinned(rows.filter(({ policy }) => policy === name)).map(({ policy, capacityBlocks, hitPct }) => ({
      policy,
      blocks: capacityBlocks,
      hits: hitPct,
    })),
  );
  const svg = await draw({
    width: WIDE,
    height: 320,
    title: { text: trace, color: 'currentColor' },
    data: { values },
    mark: { type: 'line', point: policies.length > 1, aria: false },
    encoding: {
      x: {
        field: 'blocks',
        type: 'quantitative',
        scale: { type: 'log', nice: false },
        axis: { title: 'blocks of the cache', format: '~s', labelOverlap: true },
      },
      y: { field: 'hits', type: 'quantitative', axis: { title: 'prefix hits, % of blocks' } },
      color: { field: 'policy', type: 'nominal', sort: policies },
    },
  });
  // The page of `report` has them in its style sheet, for light and dark.
  const colors = ['#0072b2', '#d55e00', '#007a5a', '#b0568a', '#b87f00', '#2f8fc4', '#6e6e6e', '#7a4b00'];
  const series = SERIES_COLORS.map((_, at) => `--s${at + 1}: ${colors[at]};`).join(' ');
  const style = `<style>svg { ${series} --soft: #57606a; --grid: #e6e9ed; color: #1b1f24; background: #fff; }</style>`;
  return `${svg.replace(' aria-hidden="true" focusable="false"', '').replace(/(<svg [^>]*>)/, `$1${style}`)}\n`;
}
