/** Why statements of a file are left, where neither GPUs nor the statements themselves tell. */
const FAILING_DISK = 'a disk that fails at a write, at its sync or when a file is closed, or does not answer';
const HARDWARE = 'an operation on GPUs or through NCCL that fails or is told to stop in the middle';
const KILLED = 'a rank or thread that ends without a report of what it executed';
const LOST = 'ranks that lose each other, or are stuck, in the moment in which they end or agree';
const LAUNCHER = 'an mpirun that outlives ten seconds of signals, or ends between two looks at /proc';
const MACHINE =
  'a machine of another kind: other control groups, no /proc, no locks, no /dev/shm, another user';
const NOTHING_MOVES = 'a point that ends before anything was measured';
const PLANTED =
  'a planned and a counted number that differ: what verification and counters are there to find';
const SCREEN = 'an interface that a package asks for and never calls in a healthy run';
const SIZE = 'an input so large that reading it takes a test minutes or gigabytes';
const STOP = 'a stop that comes within one operation of this kind';
const TWO_BUILDS = 'a run of an earlier version of the schema, or of another build, that is resumed';

export const LEFT_REASONS: Readonly<Record<string, string>> = {
  'jobs/cache/slot-lists.ts': SIZE,
  'jobs/dispatch-combine/high-throughput/choose-strategy.ts': HARDWARE,
  'jobs/dispatch-combine/paths.ts': PLANTED,
  'jobs/dispatch-combine/thread/main.ts': KILLED,
  'jobs/dispatch-combine/thread/requests.ts': KILLED,
  'jobs/kv/replicated/communicator.ts': HARDWARE,
  'jobs/kv/replicated/open.ts': HARDWARE,
  'jobs/replay/measure.ts': PLANTED,
  'jobs/replay/rows.ts': NOTHING_MOVES,
  'jobs/traces/line-stream.ts': SIZE,
  'jobs/traces/prefix-tree.ts': SIZE,
  'jobs/traces/zstd-frames.ts': SIZE,
  'jobs/transfer/measure.ts': PLANTED,
  'jobs/transfer/open.ts': STOP,
  'runner/compare/ab-runs.ts': LAUNCHER,
  'runner/doctor/checks/disk.ts': MACHINE,
  'runner/doctor/checks/shared-memory.ts': MACHINE,
  'runner/engine/end-agreement.ts': LOST,
  'runner/engine/leave.ts': LOST,
  'runner/engine/observers.ts': FAILING_DISK,
  'runner/engine/output.ts': MACHINE,
  'runner/engine/resume.ts': TWO_BUILDS,
  'runner/engine/signals.ts': LOST,
  'runner/engine/stage-exchanges.ts': LOST,
  'runner/engine/stage.ts': LOST,
  'runner/engine/verdict.ts': LOST,
  'runner/environment/ancestors.ts': MACHINE,
  'runner/environment/early-signals.ts': MACHINE,
  'runner/job-spec/load.ts': SIZE,
  'runner/job/off-main-thread.ts': SIZE,
  'runner/launch/start-ranks.ts': LAUNCHER,
  'runner/launch/watchdog.ts': LAUNCHER,
  'runner/preflight/control-groups.ts': MACHINE,
  'runner/report/plots/draw.ts': SCREEN,
  'runner/results/csv-file.ts': FAILING_DISK,
  'runner/results/manifest.ts': FAILING_DISK,
  'runner/results/rescue.ts': FAILING_DISK,
  'runner/results/summary.ts': FAILING_DISK,
  'runner/results/synced-file.ts': FAILING_DISK,
  'runner/world/device.ts': HARDWARE,
  'runner/world/neighbours.ts': MACHINE,
  'runner/world/on-all-ranks.ts': LOST,
  'runner/world/world.ts': LOST,
};
