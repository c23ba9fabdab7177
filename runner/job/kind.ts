/**
 * The contract of a job kind. The engine, the spec module and the writer know kinds by nothing else: adding a kind is a
 * folder under jobs/ and a line in jobs/index.ts.
 */
import type { SpecKind } from '../job-spec/spec-kind.js';
import type { ColumnDefinition } from '../results/columns.js';
import type { OpenPoint, PointContext } from './context.js';

/** SpecKind holds what `validate` and `plan` need: the word, schema, resolve, check and plan. */
export interface JobKind extends SpecKind {
  /** Columns that rows of this kind add behind the common ones. */
  readonly columns: readonly ColumnDefinition[];
  /** Stage `prepare`: allocate, fill, compile plans. What it opened is closed when it throws. */
  open(context: PointContext): Promise<OpenPoint>;
}

/** Loads the registry of job kinds. bin/railrunner hands it in, so that runner/ imports no kind and help stays quick. */
export type LoadKinds = () => Promise<readonly JobKind[]>;
