/** How long each step of a stopped run may take. */

/** Open MPI 4.1 kills its ranks one second after its SIGTERM. */
const DEFAULT_GRACE_SECONDS = 1;

export interface StopBudget {
  /** From the signal on: ranks agree on the last sample, or this rank leaves by itself. */
  readonly agreeMs: number;
  /** From the signal on: rows of points that never ran are written. They reach their file chunk by chunk, so a longer try loses nothing. */
  readonly rowsMs: number;
  /** From the signal on: a rank that leaves by itself makes its launcher end the others, and gives them this long for their rows. */
  readonly othersMs: number;
  /** Agreeing on the exit status, and MPI_Finalize. */
  readonly endMs: number;
  /** After the rows: manifest, log and exit. */
  readonly exitMs: number;
  /** Closing one file; a file system may not answer. */
  readonly fileMs: number;
}

/** `graceSeconds`: between the signal and the kill that follows it. */
export function stopBudget(graceSeconds: number | undefined): StopBudget {
  const grace = graceSeconds ?? DEFAULT_GRACE_SECONDS;
  return {
    agreeMs: 450 * grace,
    // `launch` and batch systems grant more than Open MPI.
    rowsMs: Math.max(5000, 1000 * grace),
    othersMs: 900 * grace,
    endMs: 1000 * grace,
    exitMs: 100 * grace,
    fileMs: 250 * grace,
  };
}

/** Launchers hand SIGUSR1 on and kill nobody for it: schedulers send it a minute before their own end. */
export function patientBudget(graceSeconds: number | undefined): StopBudget {
  const hurried = stopBudget(graceSeconds);
  return {
    ...hurried,
    agreeMs: Math.max(30_000, hurried.agreeMs),
    rowsMs: Math.max(45_000, hurried.rowsMs),
  };
}
