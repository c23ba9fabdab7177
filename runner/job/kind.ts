/**
 * The contract of a job kind. The engine, the spec module and the writer know kinds by nothing else: adding a kind is a
 * folder under jobs/ and a line in jobs/index.ts.
 */
import type { PlanPlace, PointNeed, PointPlan, RunPlace, SpecKind } from '../job-spec/spec-kind.js';
import type { FilePlaces } from '../job-spec/files.js';
import type { Point } from '../job-spec/types.js';
import type { ColumnDefinition } from './column.js';
import type { OpenPoint, PointContext } from './context.js';

/** SpecKind holds what `validate` and `plan` need: the word, schema, resolve, check and plan. */
export interface JobKind extends SpecKind {
  /** Columns that rows of this kind add behind the common ones. */
  readonly columns: readonly ColumnDefinition[];
  /**
   * Kinds of one group free what they do not use before they take more, also what a job before them left: what they keep
   * in PointContext.resources lives on from one job to the next. Between other kinds all is given back.
   */
  readonly resourceGroup?: string;
  /** Stage `prepare`: allocate, fill, compile plans. What it opened is closed when it throws. */
  open(context: PointContext): Promise<OpenPoint>;
}

/** A kind as its author writes it: `Spec` is the resolved job, `Columns` the kind's own columns with literal names. */
export interface KindDefinition<Spec, Columns extends readonly ColumnDefinition[]> extends Pick<
  SpecKind,
  'kind' | 'summary' | 'schema' | 'example' | 'assumedKeys' | 'measuresOnce' | 'environmentKeys' | 'resolve'
> {
  readonly columns: Columns;
  readonly resourceGroup?: string;
  check(spec: Spec, worldSize: number | null): ReturnType<SpecKind['check']>;
  /** `files`: where the files that the spec names lie. */
  plan(spec: Spec, place: PlanPlace, files: FilePlaces): PointPlan;
  need?(spec: Spec, place: PlanPlace): PointNeed;
  skipReason?(spec: Spec, place: RunPlace): string | null;
  open(spec: Spec, context: PointContext): Promise<OpenPoint<Columns[number]['name']>>;
}

/**
 * The one place where the JSON of a job is taken for its kind's own type. Specs reach a kind only after its schema accepted
 * them, and `resolve` fills in the rest; tests check the result over all shipped specs (test/rules/generated).
 */
export function specAs<Spec>(keys: Readonly<Record<string, unknown>>): Spec {
  return keys as unknown as Spec;
}

/** Makes a job kind of its typed definition. */
export function defineKind<Spec>(): <const Columns extends readonly ColumnDefinition[]>(
  definition: KindDefinition<Spec, Columns>,
) => JobKind {
  const specOf = (point: Point): Spec => specAs(point.spec);
  return ({ check, plan, need, skipReason, open, ...rest }) => ({
    ...rest,
    check: (point, worldSize) => check(specOf(point), worldSize),
    plan: (point, place) => plan(specOf(point), place, point.files),
    ...(need ? { need: (point, place) => need(specOf(point), place) } : {}),
    ...(skipReason ? { skipReason: (point, place) => skipReason(specOf(point), place) } : {}),
    open: (context) => open(specOf(context.point), context),
  });
}

/** Loads the registry of job kinds. bin/railrunner hands it in, so that runner/ imports no kind and help stays quick. */
export type LoadKinds = () => Promise<readonly JobKind[]>;
