/** The CSV columns: name, unit, meaning. The header, results/README.md and the writer come from this list. */

export interface ColumnDefinition {
  readonly name: string;
  /** 'us', 'bytes', 'GB/s', '%' or '' for none. */
  readonly unit: string;
  /** One sentence; for derived values the formula. */
  readonly meaning: string;
}
