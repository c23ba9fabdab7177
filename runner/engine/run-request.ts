/** What a run is started with. */
import type { Environment } from '../environment/variables.js';
import type { RunnerError } from '../errors.js';
import type { JobKind } from '../job/kind.js';
import type { LoadOptions } from '../job-spec/load.js';
import type { ResolvedSpec } from '../job-spec/types.js';
import type { MpiWorld } from '../world/world.js';
import type { Begun } from './leave.js';
import type { Selection, SelectionRequest } from './selection.js';
import type { StopRequest } from './signals.js';

/** What the command line asks for. */
export interface RunRequest {
  readonly specPath: string;
  /** Folder that the run gets its own folder in. */
  readonly outFolder: string;
  readonly runId: string | undefined;
  /** Folder of a run to go on with, instead of a new one. */
  readonly resume: string | undefined;
  readonly selection: SelectionRequest;
  readonly kinds: readonly JobKind[];
  readonly load: LoadOptions;
}

export interface StartContext {
  readonly request: RunRequest;
  readonly environment: Environment;
  readonly world: MpiWorld;
  /** Rank 0: the spec, or why there is none; read before MPI was opened. Undefined on the other ranks. */
  readonly ownSpec: OwnSpec | undefined;
  readonly stop: StopRequest;
  /** Filled as the start goes on. */
  readonly begun: Begun;
}

export type OwnSpec =
  { readonly spec: ResolvedSpec; readonly selection: Selection } | { readonly failure: RunnerError };
