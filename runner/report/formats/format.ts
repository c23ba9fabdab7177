/** One file that a report can be written as. */
import type { KeyFigures } from '../repeats.js';
import type { Report } from '../model.js';

/** In the order in which they are written. */
export const FORMAT_NAMES = [
  'html',
  'markdown',
  'junit',
  'bencher',
  'github-action',
  'prometheus',
  'otava',
] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export interface OutputFile {
  readonly name: string;
  readonly text: string;
}

export interface ReportFormat {
  /** `figures`: of all keys of the report. */
  write(report: Report, figures: readonly KeyFigures[]): OutputFile[] | Promise<OutputFile[]>;
}
