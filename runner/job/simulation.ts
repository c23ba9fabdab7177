/** What `railrunner simulate` asks, and what answers it. Traces and caches belong to the jobs; the command knows only these types. */

export interface SimulationQuestion {
  readonly trace: string;
  /** Names are checked by the answer. */
  readonly policies: readonly string[];
  /** Blocks; empty: a series of 1, 2 and 5 times powers of ten. */
  readonly capacities: readonly number[];
  /** Of device, host and disk together; empty: none. */
  readonly tierBlocks: readonly number[];
  readonly tierPolicy: string;
  readonly minUses: number;
  /** null: tiers are given in blocks only. */
  readonly blockBytes: number | null;
  readonly ttlSeconds: number | null;
  readonly blockTokens: number | null;
  readonly skip: number;
  readonly limit: number | null;
  readonly warmupRequests: number;
  readonly shortBlock: 'cached' | 'not-cached';
  readonly onBadLine: 'refuse' | 'count';
  /** LRU at each capacity where its hits change. */
  readonly allCapacities: boolean;
  readonly format: 'table' | 'csv' | 'json';
}

/** Throws RunnerError: E_TRACE, E_USAGE. */
export type SimulateTrace = (question: SimulationQuestion) => Promise<string>;

/** bin/railrunner hands it in, so that runner/ imports no job. */
export type LoadSimulation = () => Promise<SimulateTrace>;
