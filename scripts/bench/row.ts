/** A row of a benchmark's CSV: column -> cell. */
export type Row = Readonly<Record<string, string>>;
