/**
 * Why no test on a machine without GPUs executes some code: what the comment next to it names, `v8 ignore next -- KEY`.
 * A reason is the last resort: first a test, or code that needs none.
 */
export const REASONS = {
  GPUs: 'executed by the GPU tests',
  'failing disk': 'a disk that fails at a write, at its sync or when a file is closed, or does not answer',
  killed: 'a process or thread that is ended before it can report what it executed',
  'lost ranks': 'ranks that lose each other, or are stuck, in the moment in which they end or agree',
  launcher: 'an mpirun that outlives ten seconds of signals, or ends between two looks at /proc',
  'another machine':
    'a machine of another kind: other control groups, no /proc, no locks, no /dev/shm, another user',
  mistake: 'an assumption of the code did not hold: only a mistake in it gets there',
  rethrown: 'an error that is not the one looked for is thrown on',
  index: 'a literal behind `??` at an index, which the compiler asks for although the element is there',
} as const;

export type Reason = keyof typeof REASONS;
