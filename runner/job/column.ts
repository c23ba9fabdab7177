/** One column of the rank CSV: what kinds add and what every row has are defined alike. */

export type ColumnType = 'integer' | 'number' | 'text' | 'time';
export type Better = 'smaller' | 'larger' | null;

/** '': none. */
export type Unit = 'us' | 'bytes' | 'GB/s' | '%' | '';

export interface ColumnDefinition<Name extends string = string> {
  readonly name: Name;
  readonly unit: Unit;
  /** One sentence; for derived values the formula. */
  readonly meaning: string;
  /** Absent: by the unit (results/columns-file.ts). */
  readonly type?: ColumnType;
  /** Which direction is good; absent: by the unit. Null where neither is. */
  readonly better?: Better;
  /** The table at the end of a run says its values below the lines, once for each job. */
  readonly below?: boolean;
}

/** A column whose name is a type, so that a misspelt one does not compile. */
export const column = <const Name extends string>(
  name: Name,
  unit: Unit,
  meaning: string,
  more: Pick<ColumnDefinition, 'type' | 'better' | 'below'> = {},
): ColumnDefinition<Name> => ({ name, unit, meaning, ...more });

export type ColumnName<Columns extends readonly ColumnDefinition[]> = Columns[number]['name'];
