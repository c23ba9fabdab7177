/** One fault of a spec: where (JSON Pointer), what was expected, what was received, and what to do. */
export interface Fault {
  /** JSON Pointer into the spec document, for example "/jobs/0/layout/pageSize"; '' is the whole document. */
  readonly pointer: string;
  readonly expected: string;
  readonly received: string;
  readonly hint?: string;
}
