/**
 * A Slurm on pretend hosts: munged and slurmctld on the head, one slurmd per host. Its key, socket and configuration are
 * its own: a Slurm of the machine is not touched. No systemd, no cgroups, no accounting.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Finished, RunOptions, Running } from '../helpers/run-cli.js';
import { withHosts, type Hosts } from './hosts.js';

/** Nodes are idle after 0.4 s; a loaded machine may need much more. */
const IDLE_LIMIT_MS = 120_000;
/** Seconds between the TERM and the KILL of scancel: short, so that tests are. */
const KILL_WAIT_SECONDS = 5;

function slurmConf(folder: string, nodes: number, cpus: number): string {
  const memoryMb = Math.floor(totalmem() / 2 ** 20 / 1.1);
  const names = nodes === 1 ? 'h0' : `h[0-${nodes - 1}]`;
  const settings: Record<string, string | number> = {
    ClusterName: 'railrunner-test',
    SlurmctldHost: 'head',
    SlurmUser: 'root',
    SlurmdUser: 'root',
    AuthType: 'auth/munge',
    CredType: 'cred/munge',
    AuthInfo: `socket=${folder}/munge.sock`,
    StateSaveLocation: `${folder}/state`,
    SlurmdSpoolDir: `${folder}/spool.%n`,
    SlurmctldPidFile: `${folder}/slurmctld.pid`,
    SlurmdPidFile: `${folder}/slurmd.%n.pid`,
    SlurmctldLogFile: `${folder}/log/slurmctld.log`,
    SlurmdLogFile: `${folder}/log/slurmd.%n.log`,
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    TmpFS: '/dev/shm',
    JobAcctGatherType: 'jobacct_gather/none',
    AccountingStorageType: 'accounting_storage/none',
    JobCompType: 'jobcomp/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU',
    SchedulerType: 'sched/builtin',
    SchedulerParameters: 'batch_sched_delay=0,sched_interval=2',
    SlurmdParameters: 'config_overrides', // as many CPUs per node as asked for, whatever this machine has
    MpiDefault: 'none',
    ReturnToService: 2,
    KillWait: KILL_WAIT_SECONDS,
    KillOnBadExit: 1,
    SlurmctldTimeout: 120,
    SlurmdTimeout: 120,
    MessageTimeout: 60,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  lines.push(`NodeName=${names} CPUs=${cpus} RealMemory=${memoryMb} State=UNKNOWN`);
  lines.push('PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4 State=UP');
  return `${lines.join('\n')}\n`;
}

function writeConfiguration(folder: string, nodes: number, cpus: number): void {
  for (const name of ['state', 'log', 'munge']) mkdirSync(join(folder, name));
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'munge'), 0o700);
  writeFileSync(join(folder, 'slurm.conf'), slurmConf(folder, nodes, cpus));
  // slurmd loads a cgroup plug-in even where nothing uses it: v1 with a folder of ours touches no real one
  const cgroup = ['CgroupPlugin=cgroup/v1', 'CgroupAutomount=no', `CgroupMountpoint=${folder}/cgroup`];
  const constrain = ['ConstrainCores=no', 'ConstrainRAMSpace=no', 'ConstrainDevices=no'];
  writeFileSync(join(folder, 'cgroup.conf'), `${[...cgroup, ...constrain].join('\n')}\n`);
  // /tmp is shared by the hosts, and two step daemons of one job would make the same PMIx folder there
  writeFileSync(join(folder, 'mpi.conf'), 'PMIxCliTmpDirBase=/dev/shm\n');
  writeFileSync(join(folder, 'munge', 'key'), randomBytes(1024), { mode: 0o600 });
}

class Slurm {
  readonly hosts: Hosts;
  readonly folder: string;

  constructor(hosts: Hosts, folder: string) {
    this.hosts = hosts;
    this.folder = folder;
  }

  #options(options: RunOptions): RunOptions {
    return { ...options, env: { SLURM_CONF: join(this.folder, 'slurm.conf'), ...options.env } };
  }

  /** Starts a command where users log in; for example ['srun', '-N2', '-n4', '--mpi=pmix', ...]. */
  start(command: readonly string[], options: RunOptions = {}): Running {
    return this.hosts.start('head', command, this.#options(options));
  }

  run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.start(command, options).finished;
  }

  /** Signals go to srun itself. */
  signal(running: Running, signal: NodeJS.Signals): void {
    this.hosts.signal(running, signal);
  }

  logs(): string {
    const folder = join(this.folder, 'log');
    return readdirSync(folder)
      .map((name) => `${name}:\n${readFileSync(join(folder, name), 'utf8').slice(-2000)}`)
      .join('\n');
  }

  async #daemon(host: string, command: readonly string[]): Promise<void> {
    // A daemon keeps the pipes it was born with; its own log has what it says.
    const quiet = [
      'sh',
      '-c',
      'exec "$@" >>"$0" 2>&1 </dev/null',
      join(this.folder, 'log', 'daemons.log'),
      ...command,
    ];
    const ended = await this.hosts.run(host, quiet, this.#options({ timeoutMs: 60_000 }));
    if (ended.status !== 0)
      throw new Error(`${command[0]} on ${host}: status ${ended.status}\n${this.logs()}`);
  }

  async startDaemons(): Promise<void> {
    const munge = join(this.folder, 'munge');
    appendFileSync(join(this.folder, 'log', 'daemons.log'), '');
    const files = [`--key-file=${munge}/key`, `--pid-file=${munge}/pid`, `--log-file=${munge}/log`];
    const place = [`--socket=${this.folder}/munge.sock`, `--seed-file=${munge}/seed`];
    await this.#daemon('head', ['munged', '--force', ...place, ...files]);
    await this.#daemon('head', ['slurmctld', '-c']);
    await Promise.all(this.hosts.cells.map(({ name }) => this.#daemon(name, ['slurmd', '-N', name])));
    await this.#untilIdle();
  }

  async #untilIdle(): Promise<void> {
    const deadline = performance.now() + IDLE_LIMIT_MS;
    for (;;) {
      const { stdout } = await this.run(['sinfo', '-h', '-t', 'idle', '-o', '%D'], { timeoutMs: 60_000 });
      if (Number(stdout.trim() || 0) === this.hosts.cells.length) return;
      if (performance.now() > deadline) {
        throw new Error(`Slurm's nodes are not idle after ${IDLE_LIMIT_MS / 1000} s\n${this.logs()}`);
      }
      await sleep(100);
    }
  }
}

export async function withSlurm<T>(
  nodes: number,
  cpus: number,
  body: (slurm: Slurm) => Promise<T>,
): Promise<T> {
  return withHosts(nodes, cpus, async (hosts) => {
    const folder = join(hosts.folder, 'slurm');
    mkdirSync(folder);
    chmodSync(hosts.folder, 0o755); // munge refuses a socket that others cannot reach
    writeConfiguration(folder, nodes, cpus);
    const slurm = new Slurm(hosts, folder);
    await slurm.startDaemons();
    return body(slurm);
  });
}
