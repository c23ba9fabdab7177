/** What `railrunner model` asks, and what answers it. The models belong to the jobs; the command knows only these types. */

export interface ModelQuestion {
  /** A preset, or a path. */
  readonly model: string;
  readonly tensorParallel: number;
  /** Tokens in a block; null: not asked. */
  readonly pageSize: number | null;
  readonly contextTokens: number | null;
  readonly json: boolean;
}

/** The text for stdout, or the reason why there is none. */
export type ModelReport = { readonly text: string } | { readonly refusal: string };

/** bin/railrunner hands it in, so that runner/ imports no job. */
export type LoadModelReport = () => Promise<(question: ModelQuestion) => ModelReport>;
