/**
 * Draws plots as SVG text by Vega-Lite, on this side: the page then needs no script and no library to show them, prints
 * sharp, and takes its colours from the style sheet, dark or light.
 */
import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** A plot with what it says in words, for those who do not see it. */
export interface Plot {
  readonly title: string;
  readonly caption: string;
  /** The text alternative. */
  readonly words: string;
  readonly svg: string;
}

export const SERIES_COLORS = Array.from({ length: 8 }, (_, at) => `var(--s${at + 1})`);
export const MOST_SERIES = SERIES_COLORS.length;
const WIDTH = 460;
/** Of plots that have a row to themselves. */
export const WIDE = 860;

const TEXT = {
  labelColor: 'currentColor',
  titleColor: 'currentColor',
  labelFontSize: 11,
  titleFontSize: 11,
  titleFontWeight: 'normal',
} as const;

const CONFIG: TopLevelSpec['config'] = {
  background: 'transparent',
  font: 'system-ui, sans-serif',
  view: { stroke: null },
  axis: {
    ...TEXT,
    domainColor: 'var(--soft)',
    tickColor: 'var(--soft)',
    gridColor: 'var(--grid)',
    labelLimit: 220,
  },
  legend: { ...TEXT, orient: 'bottom', columns: 1, labelLimit: 420, symbolStrokeWidth: 2, title: null },
  range: { category: SERIES_COLORS },
};

/** Labels of axes in expressions of Vega. */
export const TIME_LABEL =
  "datum.value >= 1e6 ? format(datum.value / 1e6, '.3~r') + ' s' : datum.value >= 1e3 ? format(datum.value / 1e3, '.3~r') + ' ms' : format(datum.value, '.3~r') + ' us'";
export const DECIMAL_BYTES_LABEL = "format(datum.value, '.3~s') + 'B'";

/** A plot without what all have in common; marks whose tip is to be shown have a `description` channel. */
export type PlotSpec = Readonly<Record<string, unknown>>;

declare module 'vega' {
  /** Hook for hosts that know their fonts; the library's types lack it. */
  export const textMetrics: TextMetrics;
}

interface TextMetrics {
  /** Every text has a size by CONFIG. */
  width(item: { readonly fontSize: number }, text: unknown): number;
}

/** Widths of a character over its height in DejaVu Sans, the widest of the usual fonts: what fits there fits everywhere. */
const CHARACTER_WIDTHS = [
  [/[ijlftrI.,:;|!'()[\] -]/, 0.41],
  [/[mwMW@%=<>+]/, 0.97],
  [/[A-Z]/, 0.72],
] as const;
const OTHER_WIDTH = 0.64;

/** Without a canvas Vega assumes a width of 0.8 of its height for every character, and cuts labels at two thirds of their space. */
vega.textMetrics.width = (item, text) => {
  const characters = [...String(text)];
  const widths = characters.map(
    (one) => CHARACTER_WIDTHS.find(([sort]) => sort.test(one))?.[1] ?? OTHER_WIDTH,
  );
  return widths.reduce((total, width) => total + width, 0) * item.fontSize;
};

export async function draw(spec: PlotSpec): Promise<string> {
  // Vega-Lite checks the form of a spec when it compiles it.
  const full = {
    width: WIDTH,
    autosize: { type: 'fit-x', contains: 'padding' },
    padding: { top: 4, bottom: 4, left: 6, right: 16 }, // the last tick's label is centred on the edge
    ...spec,
    config: CONFIG,
  } as unknown as TopLevelSpec;
  const view = new vega.View(vega.parse(compile(full, { logger: new Silent() }).spec), { renderer: 'none' });
  try {
    return tidy(await view.toSVG());
  } finally {
    view.finalize();
  }
}

type Logger = NonNullable<NonNullable<Parameters<typeof compile>[1]>['logger']>;

/** What Vega-Lite would print is of no use to someone who reads a report; a spec that is wrong throws. */
class Silent implements Logger {
  readonly level = (): this => this;
  readonly warn = this.level;
  readonly info = this.level;
  readonly debug = this.level;

  /* v8 ignore next 3 -- mistake */
  error(message: unknown): never {
    throw new Error(String(message));
  }
}

/**
 * The whole plot is one image with a text alternative, so its marks need no roles; what they say becomes the tip. A role on
 * each of thousands of marks would make the page slow, and a screen reader recite them.
 */
function tidy(svg: string): string {
  return svg
    .replaceAll(
      / aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="[^"]*"/g,
      ' data-tip="$1"',
    )
    .replaceAll(/ (role|aria-[a-z]+)="[^"]*"/g, '')
    .replace('<svg ', '<svg aria-hidden="true" focusable="false" ');
}
