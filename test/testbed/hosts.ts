/**
 * Several pretend hosts on one machine: network namespaces on one bridge, below a head where mpirun runs. Each has its
 * own network, host name, IPC, processes and /dev/shm; nothing appears in the machine's own network. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { railrunner, start, type Finished, type RunOptions, type Running } from '../helpers/run-cli.js';
import type { Mpi } from '../helpers/mpirun.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { commandPid, enterArgs, openCell, type Cell } from './namespaces.js';

const NETWORK = '10.213.0';
/** The second cables: MPI never uses them, and UCX, told UCX_NET_DEVICES=eth1, nothing else. */
const DATA_NETWORK = '10.214.0';
/** Each host's /dev/shm; small enough that a leak is noticed. */
const SHM_SIZE = '2g';

export interface BedOptions {
  readonly hosts: number;
  /** Ranks that each host takes. */
  readonly slots: number;
  /** Each host has a second cable, eth1, only for data: it can be pulled while MPI goes on. */
  readonly dataCables?: boolean;
}

export type Cable = 'first' | 'data';

export interface BedMpirunOptions extends RunOptions {
  readonly mpi: Mpi;
  /** Default: every slot of every host. */
  readonly ranks?: number;
  /** Variables of `env` reach remote ranks only when they are named here, as over ssh. */
  readonly exported?: readonly string[];
  readonly launcherArgs?: readonly string[];
}

export interface LinkBytes {
  /** Bytes that reached the host, and that left it, over its cable. */
  readonly received: number;
  readonly sent: number;
}

/** The switch's end of a host's cable. */
function portOf(host: string, cable: Cable): string {
  return `${cable === 'data' ? 'data' : 'sw'}-${host}`;
}

function sh(cell: Cell, script: string): string {
  const result = spawnSync('nsenter', [...enterArgs(cell.pid), 'sh', '-c', script], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`in ${cell.name}: ${script}: ${result.stderr.trim()}`);
  return result.stdout;
}

export class Hosts {
  readonly options: BedOptions;
  readonly folder: string;
  readonly cells: readonly Cell[];
  readonly #head: Cell;

  private constructor(options: BedOptions, folder: string, head: Cell, cells: readonly Cell[]) {
    this.options = options;
    this.folder = folder;
    this.#head = head;
    this.cells = cells;
  }

  static async open(options: BedOptions, folder: string): Promise<Hosts> {
    const names = Array.from({ length: options.hosts }, (_, index) => `h${index}`);
    const lines = names.map((name, index) => `${NETWORK}.${index + 1} ${name}`);
    const etcHosts = ['127.0.0.1 localhost', `${NETWORK}.254 head`, ...lines, ''].join('\n');
    writeFileSync(join(folder, 'etc-hosts'), etcHosts);
    const head = await openCell({ name: 'head', folder, shmSize: SHM_SIZE });
    try {
      const bridge = `ip addr add ${NETWORK}.254/24 dev br0 && ip link set br0 up`;
      sh(head, `ip link add br0 type bridge forward_delay 0 && ${bridge}`);
      if (options.dataCables) sh(head, 'ip link add br1 type bridge forward_delay 0 && ip link set br1 up');
      const cells = await Promise.all(
        names.map((name) => openCell({ name, folder, shmSize: SHM_SIZE, inside: head })),
      );
      const bed = new Hosts(options, folder, head, cells);
      cells.forEach((cell, index) => bed.#connect(cell, `${NETWORK}.${index + 1}`));
      bed.#writeRemoteShell();
      return bed;
    } catch (error) {
      head.holder.kill('SIGKILL');
      throw error;
    }
  }

  #connect(cell: Cell, address: string): void {
    const { name, pidInHead } = cell;
    sh(this.#head, `ip link add sw-${name} type veth peer name eth0 netns ${pidInHead}`);
    sh(this.#head, `ip link set sw-${name} master br0 up`);
    const route = `ip route add default via ${NETWORK}.254`;
    sh(cell, `ip addr add ${address}/24 dev eth0 && ip link set eth0 up && ${route}`);
    if (!this.options.dataCables) return;
    sh(this.#head, `ip link add data-${name} type veth peer name eth1 netns ${pidInHead}`);
    sh(this.#head, `ip link set data-${name} master br1 up`);
    const dataAddress = address.replace(NETWORK, DATA_NETWORK);
    sh(cell, `ip addr add ${dataAddress}/24 dev eth1 && ip link set eth1 up`);
  }

  /** What mpirun calls in place of ssh: AGENT [options] HOST COMMAND. The environment over there is bare. */
  #writeRemoteShell(): void {
    const table = this.cells.map(({ name, pidInHead }) => `  ${name}) pid=${pidInHead} ;;`).join('\n');
    const script = `#!/usr/bin/env bash
while [[ \${1:-} == -* ]]; do case $1 in -l | -p | -o) shift 2 ;; *) shift ;; esac; done
case $1 in
${table}
  *) echo "no host $1" >&2; exit 255 ;;
esac
shift
cd "$HOME" || exit 255
exec env -i PATH="$PATH" HOME="$HOME" USER="\${USER:-root}" LANG=C.UTF-8 SHELL=/bin/bash \\
  nsenter -t "$pid" -m -u -i -n -p -- /bin/bash -c "$*"
`;
    writeFileSync(this.remoteShell, script);
    chmodSync(this.remoteShell, 0o755);
  }

  get remoteShell(): string {
    return join(this.folder, 'remote-shell');
  }

  cell(host: string): Cell {
    const found = [this.#head, ...this.cells].find(({ name }) => name === host);
    if (!found) throw new Error(`no host ${host} in this bed`);
    return found;
  }

  /** Starts a command on a host ('head', 'h0', ...), in the caller's folder and environment. */
  start(host: string, command: readonly string[], options: RunOptions = {}): Running {
    const cd = ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', options.cwd ?? process.cwd()];
    return start('nsenter', [...enterArgs(this.cell(host).pid), ...cd, ...command], options);
  }

  run(host: string, command: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.start(host, command, options).finished;
  }

  /** Sends a signal to the command itself, not to what carried it into the host. */
  signal(running: Running, signal: NodeJS.Signals): void {
    process.kill(commandPid(running.child), signal);
  }

  /** `mpirun --host h0:2,h1:2 COMMAND` on the head, with what this bed needs in the environment. */
  mpirunLine(options: BedMpirunOptions, command: readonly string[]): [string[], Record<string, string>] {
    const { hosts, slots } = this.options;
    const ranks = String(options.ranks ?? hosts * slots);
    const exported = options.exported ?? [];
    const extra = options.launcherArgs ?? [];
    if (options.mpi === 'mpich') {
      const list = this.cells.map(({ name }) => `${name}:${slots}`).join(',');
      const where = ['-launcher', 'rsh', '-launcher-exec', this.remoteShell, '-rmk', 'user', '-hosts', list];
      const environment = ['-genvlist', ['PATH', 'HOME', ...exported].join(',')];
      return [['mpirun.mpich', ...where, '-n', ranks, ...environment, ...extra, ...command], {}];
    }
    const list = this.cells.map(({ name }) => `${name}:${slots}`).join(',');
    const names = ['PATH', ...exported].flatMap((name) => ['-x', name]);
    const line = ['mpirun.openmpi', '--allow-run-as-root', '--host', list, '-n', ranks, '--bind-to', 'none'];
    const environment = {
      OMPI_MCA_plm: 'rsh',
      OMPI_MCA_ras: '^slurm',
      OMPI_MCA_plm_rsh_agent: this.remoteShell,
      OMPI_MCA_plm_rsh_no_tree_spawn: '1',
      OMPI_MCA_oob_tcp_if_include: `${NETWORK}.0/24`,
      OMPI_MCA_btl_tcp_if_include: `${NETWORK}.0/24`,
      OMPI_MCA_pml: 'ob1',
      OMPI_MCA_btl: 'self,vader,tcp',
      OMPI_MCA_mpi_yield_when_idle: '1', // each pretend host believes that all cores are its own
    };
    return [[...line, ...names, ...extra, ...command], environment];
  }

  startMpirun(options: BedMpirunOptions, command: readonly string[]): Running {
    const [line, environment] = this.mpirunLine(options, command);
    return this.start('head', line, { ...options, env: { ...environment, ...options.env } });
  }

  mpirun(options: BedMpirunOptions, command: readonly string[]): Promise<Finished> {
    return this.startMpirun(options, command).finished;
  }

  /** `railrunner ARGS` on every rank. */
  mpirunCli(options: BedMpirunOptions, args: readonly string[]): Promise<Finished> {
    return this.mpirun(options, [process.execPath, railrunner, ...args]);
  }

  /** Bytes over each host's cable so far, counted at the switch: headers and launcher's traffic included. */
  bytes(cable: Cable = 'first'): Record<string, LinkBytes> {
    const counted: Record<string, LinkBytes> = {};
    for (const { name } of this.cells) {
      const folder = `/sys/class/net/${portOf(name, cable)}/statistics`;
      const [toHost, fromHost] = sh(this.#head, `cat ${folder}/tx_bytes ${folder}/rx_bytes`).split('\n');
      counted[name] = { received: Number(toHost), sent: Number(fromHost) };
    }
    return counted;
  }

  /** Pulls a host's cable, or plugs it in again. */
  link(host: string, state: 'up' | 'down', cable: Cable = 'first'): void {
    sh(this.#head, `ip link set ${portOf(this.cell(host).name, cable)} ${state}`);
  }

  /** Ends every process of every host: the kernel does, with the head's process 1. */
  async close(): Promise<void> {
    const { holder, pid } = this.#head;
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    process.kill(pid, 'SIGKILL');
    if (holder.exitCode === null && holder.signalCode === null) await ended;
  }
}

export async function withHosts<T>(
  hosts: number,
  slots: number,
  body: (bed: Hosts) => Promise<T>,
  options: Pick<BedOptions, 'dataCables'> = {},
): Promise<T> {
  return withTempDir(async (folder) => {
    const bed = await Hosts.open({ hosts, slots, ...options }, folder);
    try {
      return await body(bed);
    } finally {
      await bed.close();
    }
  });
}
