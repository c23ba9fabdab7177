/**
 * What the machine itself must have. Each thing is looked for by what it offers (a program, a pkg-config module), not
 * by its package, so that a cluster's own modules count; the Debian package's name is only the remedy.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SetupFailure, say, tail } from './say.mjs';

/**
 * @typedef {object} Requirement
 * @property {string} label what it is for
 * @property {string[]} packages Debian packages that bring it
 * @property {string[]} [programs] all must be in PATH (or in the sbin folders)
 * @property {string[]} [modules] pkg-config modules that must exist
 * @property {string} [withoutIt] what is lost without it; absent = nothing works without it
 */

/** @type {Requirement[]} */
const FOR_BUILD = [
  { label: 'C++ compiler', packages: ['g++', 'make'], programs: ['g++', 'make'] },
  { label: 'CMake', packages: ['cmake', 'ninja-build'], programs: ['cmake', 'ninja'] },
  { label: 'pkg-config', packages: ['pkg-config'], programs: ['pkg-config'] },
  { label: 'liburing (disk)', packages: ['liburing-dev'], modules: ['liburing'] },
  {
    label: 'Open MPI',
    packages: ['openmpi-bin', 'libopenmpi-dev'],
    programs: ['mpirun.openmpi'],
    modules: ['ompi-c'],
    withoutIt: 'no run under Open MPI',
  },
  {
    label: 'MPICH',
    packages: ['mpich', 'libmpich-dev'],
    programs: ['mpirun.mpich'],
    modules: ['mpich'],
    withoutIt: 'no run under MPICH',
  },
  {
    label: 'UCX (network)',
    packages: ['libucx-dev'],
    modules: ['ucx'],
    withoutIt: 'no network between nodes',
  },
  {
    label: 'hwloc (NUMA)',
    packages: ['libhwloc-dev'],
    modules: ['hwloc'],
    withoutIt: 'no binding to NUMA nodes',
  },
];

/** @type {Requirement[]} */
const FOR_TESTS = [
  {
    label: 'Git',
    packages: ['git'],
    programs: ['git'],
    withoutIt: 'manifests do not name the commit of the build',
  },
  {
    label: 'network namespaces',
    packages: ['iproute2', 'util-linux'],
    programs: ['ip', 'unshare', 'nsenter'],
    withoutIt: 'tests on several hosts are skipped',
  },
  {
    label: 'Slurm',
    packages: ['slurm-wlm', 'munge'],
    programs: ['slurmctld', 'slurmd', 'srun', 'munged'],
    withoutIt: 'tests under srun are skipped',
  },
  {
    label: 'clang-format',
    packages: ['clang-format'],
    programs: ['clang-format'],
    withoutIt: 'the format of C++ is not checked',
  },
  {
    label: 'readelf',
    packages: ['binutils'],
    programs: ['readelf'],
    withoutIt: "the addon's libraries are not checked",
  },
  { label: 'xz', packages: ['xz-utils'], programs: ['xz'], withoutIt: 'the bundle cannot be packed' },
  {
    label: 'small file systems',
    packages: ['e2fsprogs', 'mount', 'util-linux'],
    programs: ['mkfs.ext4', 'mount', 'fsfreeze'],
    withoutIt: 'tests of a full and of a hanging disk are skipped',
  },
];

const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

function findProgram(/** @type {string} */ name) {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...SBIN].filter((folder) => folder !== '');
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function findModule(/** @type {string} */ name) {
  return spawnSync('pkg-config', ['--exists', name], { stdio: 'ignore' }).status === 0;
}

/** @param {Requirement} requirement */
function isMet(requirement) {
  return (requirement.programs ?? []).every(findProgram) && (requirement.modules ?? []).every(findModule);
}

/** @param {'run' | 'test'} purpose */
function missingRequirements(purpose) {
  const wanted = purpose === 'test' ? [...FOR_BUILD, ...FOR_TESTS] : FOR_BUILD;
  return wanted.filter((requirement) => !isMet(requirement));
}

/** The command prefix that may install packages, or null where neither root nor password-less sudo is there. */
function installerPrefix() {
  if (!findProgram('apt-get')) return null;
  if (process.getuid?.() === 0) return [];
  if (findProgram('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0)
    return ['sudo', '-n'];
  return null;
}

/**
 * @param {string[]} prefix
 * @param {string[]} args
 */
function apt(prefix, args) {
  const [command = '', ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
  const result = spawnSync(command, rest, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
  });
  return { ok: result.status === 0, output: `${result.stdout ?? ''}${result.stderr ?? ''}` };
}

function packageListsAreEmpty() {
  const folder = '/var/lib/apt/lists';
  return !existsSync(folder) || !readdirSync(folder).some((name) => name.includes('Packages'));
}

/**
 * @param {string[]} prefix
 * @param {string[]} packages
 */
function installPackages(prefix, packages) {
  say(`installing ${packages.length} system packages: ${packages.join(' ')}`);
  const install = ['install', '-y', '-q', ...packages];
  let outcome = packageListsAreEmpty() ? { ok: false, output: '' } : apt(prefix, install);
  if (outcome.ok) return;
  const update = apt(prefix, ['update', '-q']); // stale lists are the usual cause of a first failure
  outcome = apt(prefix, install);
  if (outcome.ok) return;
  throw new SetupFailure(
    `apt-get could not install the system packages:\n${tail(update.ok ? '' : update.output, 5)}\n${tail(outcome.output)}\n` +
      `  Fix what it names, then run the same command again.`,
  );
}

/**
 * Finds what is missing and installs it where it may; else says the exact line. What the machine can do without is
 * only warned of.
 * @param {'run' | 'test'} purpose
 */
export function ensureSystemPackages(purpose) {
  let missing = missingRequirements(purpose);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((requirement) => requirement.packages))];
  const prefix = installerPrefix();
  const line = `sudo apt-get install -y ${packages.join(' ')}`;
  if (prefix) {
    installPackages(prefix, packages);
    missing = missingRequirements(purpose);
  }
  judgeMissing(missing, line);
}

/**
 * @param {Requirement[]} missing
 * @param {string} line
 */
export function judgeMissing(missing, line) {
  const noMpi = ['Open MPI', 'MPICH'].every((name) => missing.some(({ label }) => label === name));
  const essential = missing.filter(({ label, withoutIt }) => !withoutIt || (noMpi && /MPI/.test(label)));
  if (essential.length > 0) {
    const names = essential.map(({ label }) => label).join(', ');
    throw new SetupFailure(
      `missing on this machine: ${names}.\n  Install it and run the same command again:\n\n    ${line}\n`,
    );
  }
  for (const { label, withoutIt } of missing) say(`warning: no ${label}: ${withoutIt}`);
  if (missing.length > 0) say(`to install what is missing: ${line}`);
}
