/** What `npm run bench` runs: one spec a suite, each with its baselines in the same run. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { projectRoot } from '../../runner/project.js';

export interface Suite {
  /** Name of docs/bench/<name>.csv and of its table on a page of docs/bench. */
  readonly name: string;
  /** Path of its spec below configs; bench/<name>.json where none is given. */
  readonly spec?: string;
  readonly device: 'host' | 'cuda';
  readonly ranks: number;
  /** Part of `--quick`. */
  readonly quick: boolean;
  /** A file outside the clone that it needs. */
  readonly needsFile?: string;
  /** Every rank behind its own network cable that carries this much in each direction (slow-link.sh). */
  readonly linkMbps?: number;
  /** More words for `run`. */
  readonly args?: readonly string[];
}

const REAL_TRACE = resolve(projectRoot, '../shared/traces/conversation_trace.jsonl');

/** The sweep that GPUs run with 20 iterations: few, as a call of 8192 tokens takes a second on two cores. */
const HIGH_SWEEP = {
  spec: 'moe/high-throughput.json',
  device: 'host',
  ranks: 4,
  quick: false,
  args: ['--set', 'defaults.warmup=1', '--set', 'defaults.iterations=3', '--set', 'defaults.probe=false'],
} as const;

const ON_CUDA = ['--device', 'cuda'];

export const SUITES: readonly Suite[] = [
  { name: 'host-kv', device: 'host', ranks: 1, quick: true },
  { name: 'host-disk', device: 'host', ranks: 1, quick: true },
  {
    name: 'host-trace',
    device: 'host',
    ranks: 4,
    quick: true,
    needsFile: REAL_TRACE,
    // As seen from the spec: the path stands in the rows, which are kept.
    args: ['--set', `jobs.*.trace.path=${relative(join(projectRoot, 'configs', 'bench'), REAL_TRACE)}`],
  },
  { name: 'host-moe', device: 'host', ranks: 4, quick: true },
  { name: 'host-moe-algorithms', device: 'host', ranks: 4, quick: true },
  { name: 'host-moe-high', device: 'host', ranks: 4, quick: true },
  { name: 'host-moe-sweep', ...HIGH_SWEEP },
  { name: 'host-moe-sweep-nodes', ...HIGH_SWEEP, args: [...HIGH_SWEEP.args, '--ranks-per-node', '2'] },
  { name: 'host-moe-nodes', device: 'host', ranks: 4, quick: true },
  { name: 'host-moe-link', device: 'host', ranks: 4, quick: true, linkMbps: 100 },
  { name: 'cuda-kv', device: 'cuda', ranks: 1, quick: true },
  { name: 'cuda-kv-4', device: 'cuda', ranks: 4, quick: true },
  { name: 'cuda-disk', device: 'cuda', ranks: 1, quick: true },
  { name: 'replicated', device: 'cuda', ranks: 4, quick: true },
  { name: 'moe-cuda', device: 'cuda', ranks: 4, quick: true },
  { name: 'moe-cuda-nodes', device: 'cuda', ranks: 4, quick: true },
  { name: 'moe-cuda-high', device: 'cuda', ranks: 2, quick: true },
  { name: 'moe-cuda-high-4', spec: 'bench/moe-cuda-high.json', device: 'cuda', ranks: 4, quick: true },
  { name: 'moe-models-cuda', spec: 'moe/models.json', device: 'cuda', ranks: 4, quick: true, args: ON_CUDA },
  { name: 'cuda-quickstart', spec: 'quickstart.json', device: 'cuda', ranks: 4, quick: true, args: ON_CUDA },
];

/** Why a suite cannot run here; undefined where it can. */
export function missing(suite: Suite): string | undefined {
  if (suite.needsFile && !existsSync(suite.needsFile)) return `needs the file ${suite.needsFile}`;
  if (suite.linkMbps !== undefined) return missingForLinks();
  return undefined;
}

const SLOW_LINK = join(projectRoot, 'scripts', 'bench', 'slow-link.sh');

function missingForLinks(): string | undefined {
  if (!existsSync(SLOW_LINK)) return `needs ${SLOW_LINK}, which a bundle lacks`;
  if (process.getuid?.() !== 0) return 'needs root, for network namespaces';
  const script =
    'command -v mpirun.mpich tc && ip link add a0 type veth peer name a1 && tc qdisc add dev a0 root tbf';
  const tried = spawnSync('unshare', ['-mnpf', 'sh', '-c', `${script} rate 1mbit burst 32kb limit 1mb`]);
  return tried.status === 0 ? undefined : 'needs mpirun.mpich, network namespaces and the tbf queue of tc';
}

/** Program and arguments that run railrunner with `words` on every rank of the suite. */
export function commandOf(suite: Suite, ranks: number, words: readonly string[]): [string, string[]] {
  const railrunner = join(projectRoot, 'bin', 'railrunner');
  if (suite.linkMbps === undefined) {
    return [process.execPath, [railrunner, 'launch', '-n', String(ranks), ...words]];
  }
  const own = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const behind = ['bash', SLOW_LINK, String(suite.linkMbps), String(ranks)];
  return ['unshare', [...own, ...behind, process.execPath, railrunner, 'run', ...words]];
}
