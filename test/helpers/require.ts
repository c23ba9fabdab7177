/**
 * What a test may lack. Each function returns false where the thing is there, else a reason for tap's `skip` that
 * names it: `t.test('...', { skip: firstMissing(needsRoot(), needsProgram('srun', 'slurm-wlm')) }, ...)`. A reason with
 * "apt-get install" fails the suite in CI: what can be installed there must be.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Mpi } from './mpirun.js';

/** What is missing, in the form that a skip must have. */
export type Missing = false | `needs ${string}`;

export function firstMissing(...needs: readonly Missing[]): Missing {
  return needs.find((need) => need !== false) ?? false;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function needsProgram(program: string, debianPackage: string): Missing {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  if (folders.some((folder) => folder !== '' && isExecutable(join(folder, program)))) return false;
  return `needs ${program}: apt-get install ${debianPackage}`;
}

export function needsMpi(mpi: Mpi): Missing {
  return mpi === 'openmpi'
    ? needsProgram('mpirun.openmpi', 'openmpi-bin libopenmpi-dev')
    : needsProgram('mpirun.mpich', 'mpich libmpich-dev');
}

export function needsRoot(): Missing {
  return process.getuid?.() === 0 ? false : 'needs root';
}

/** A file outside the clone, such as a public trace that is not committed. */
export function needsFile(path: string): Missing {
  return existsSync(path) ? false : `needs the file ${path}`;
}

export function needsGpus(count: number): Missing {
  const listed = spawnSync('nvidia-smi', ['-L'], { encoding: 'utf8' });
  const found =
    listed.status === 0 ? listed.stdout.split('\n').filter((line) => line.startsWith('GPU ')).length : 0;
  return found >= count ? false : `needs ${count} GPU${count === 1 ? '' : 's'}, found ${found}`;
}

let namespaceFault: Missing | undefined;

/** Network, process and mount namespaces of one's own; containers often refuse them. */
export function needsNamespaces(): Missing {
  const programs = firstMissing(
    needsRoot(),
    needsProgram('ip', 'iproute2'),
    needsProgram('unshare', 'util-linux'),
  );
  if (programs !== false) return programs;
  if (namespaceFault === undefined) {
    const script =
      'mount -t tmpfs x /mnt && ip link add name rr0 type veth peer name rr1 && ip link add name rr2 type bridge';
    const tried = spawnSync('unshare', ['-m', '-n', '-u', '-i', '-p', '-f', 'sh', '-c', script], {
      encoding: 'utf8',
    });
    const said = tried.stderr?.trim().split('\n')[0] ?? '';
    namespaceFault = tried.status === 0 ? false : `needs namespaces, which this machine refuses: ${said}`;
  }
  return namespaceFault;
}

export function needsSlurm(): Missing {
  return firstMissing(
    needsNamespaces(),
    needsProgram('slurmctld', 'slurm-wlm'),
    needsProgram('slurmd', 'slurm-wlm'),
    needsProgram('munged', 'munge'),
  );
}
