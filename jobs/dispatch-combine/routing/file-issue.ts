/** What a reader of routing files needs, and how it refuses a line. */

export interface RoutingFileShape {
  readonly numExperts: number;
  readonly numTopk: number;
  readonly layer: number;
}

/** A line that is not what it must be. `line` counts from 1; 0 means the whole file. */
export class RoutingFileIssue extends Error {
  readonly line: number;
  readonly expected: string;
  readonly received: string;

  constructor(line: number, expected: string, received: string) {
    super(`${line > 0 ? `line ${line}: ` : ''}expected ${expected}, received ${received}`);
    this.name = 'RoutingFileIssue';
    this.line = line;
    this.expected = expected;
    this.received = received;
  }
}
