/** Whether a person watches: decides bars and colours. Nothing here reads the environment; the facts are handed in. */

export interface TerminalFacts {
  /** isTTY of the stream. */
  readonly isTTY: boolean;
  /** Started by mpirun or srun: Open MPI gives rank 0 a pseudo-terminal even into a pipe, so isTTY proves nothing. */
  readonly underLauncher: boolean;
  /** What `railrunner launch` saw of its own output before it started the launcher; absent without it. */
  readonly launchSawTerminal?: boolean | undefined;
  /** NO_COLOR is set and not empty. */
  readonly noColor: boolean;
  readonly columns?: number | undefined;
}

export interface Terminal {
  /** A bar that redraws itself is legible. */
  readonly interactive: boolean;
  readonly colors: boolean;
  /** Width to lay tables out for. */
  readonly columns: number;
}

const DEFAULT_COLUMNS = 120;

export function decideTerminal(facts: TerminalFacts): Terminal {
  const interactive = facts.underLauncher ? facts.launchSawTerminal === true : facts.isTTY;
  return {
    interactive,
    colors: interactive && !facts.noColor,
    columns: interactive && facts.columns ? facts.columns : DEFAULT_COLUMNS,
  };
}
