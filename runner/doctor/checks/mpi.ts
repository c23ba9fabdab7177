import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mpirunsOnPath, type FoundMpirun } from '../../launch/mpirun.js';
import { pluginFile, type MpiName } from '../../environment/launcher.js';
import { MPI_NAMES, MPIS } from '../../environment/mpis.js';
import { defineCheck, type Observation } from '../finding.js';
import type { DoctorContext } from '../context.js';

export interface PluginReading {
  readonly mpi: MpiName;
  readonly path: string;
  /** The MPI library that the loader finds for it; '' where it finds none. */
  readonly library: string;
  /** Libraries that it needs and the loader does not find. */
  readonly missing: readonly string[];
}

export interface MpiReading {
  /** Plug-ins that are built. */
  readonly plugins: readonly PluginReading[];
  /** In the order of PATH's search by `launch`. */
  readonly mpiruns: readonly FoundMpirun[];
}

const LDD_TIMEOUT_MS = 10_000;

/** What ldd prints: "libmpi.so.40 => /lib/libmpi.so.40 (0x...)", "libmpi.so.40 => not found". */
export function parseLdd(text: string): Pick<PluginReading, 'library' | 'missing'> {
  const lines = [...text.matchAll(/^\s*(\S+) => (not found|\S+)/gm)];
  const missing = lines.filter((line) => line[2] === 'not found').map((line) => line[1] ?? '');
  const library =
    lines.find((line) => (line[1] ?? '').startsWith('libmpi') && line[2] !== 'not found')?.[2] ?? '';
  return { library, missing };
}

function readPlugin(mpi: MpiName, folder: string): PluginReading[] {
  const path = pluginFile(folder, mpi);
  if (!existsSync(path)) return [];
  const { stdout } = spawnSync('ldd', [path], { encoding: 'utf8', timeout: LDD_TIMEOUT_MS });
  // Null, against its type, where ldd could not be started.
  return [{ mpi, path, ...parseLdd(stdout /* v8 ignore next -- another machine */ ?? '') }];
}

type Kind =
  | 'no-plugin'
  | 'plugin-library-missing'
  | 'launcher-without-plugin'
  | 'launcher-without-mpi'
  | 'launcher-contradicts'
  | 'no-mpirun'
  | 'mpirun-mismatch'
  | 'several-mpis';

function judgeLauncher(
  usable: readonly MpiName[],
  mpiruns: readonly FoundMpirun[],
  launcher: DoctorContext['launcher'],
): Observation<Kind>[] {
  const { speaks, size, name, contradiction } = launcher;
  if (!speaks && size !== null && size > 1) {
    return [{ kind: 'launcher-without-mpi', what: `started by ${name} as one of ${size} processes` }];
  }
  if (contradiction !== undefined) return [{ kind: 'launcher-contradicts', what: contradiction }];
  if (speaks && !usable.includes(speaks)) {
    return [
      {
        kind: 'launcher-without-plugin',
        what: `started by ${name}; no usable plug-in for ${MPIS[speaks].title}`,
      },
    ];
  }
  if (speaks) return [{ kind: 'ok', what: `started by ${name}` }];
  const known = mpiruns.flatMap(({ path, mpi }) => (mpi === undefined ? [] : [{ path, mpi }]));
  const [first] = known;
  if (first === undefined) return [{ kind: 'no-mpirun', what: 'no mpirun of Open MPI or MPICH on PATH' }];
  const found: Observation<Kind>[] = [];
  const onePerMpi = known.filter(({ mpi }, index) => known.findIndex((other) => other.mpi === mpi) === index);
  const plain = known.find(({ path }) => /\/(mpirun|mpiexec)$/.test(path)) ?? first;
  if (!usable.includes(plain.mpi)) {
    found.push({
      kind: 'mpirun-mismatch',
      what: `${plain.path} is ${MPIS[plain.mpi].title}, which has no usable plug-in`,
    });
  }
  if (onePerMpi.length > 1) {
    const list = onePerMpi.map(({ path, mpi }) => `${path} is ${MPIS[mpi].title}`).join(', ');
    found.push({ kind: 'several-mpis', what: list });
  }
  return found.length > 0 ? found : [{ kind: 'ok', what: `${first.path} is ${MPIS[first.mpi].title}` }];
}

export const mpi = defineCheck<MpiReading, Kind>({
  name: 'mpi',
  looksAt: 'MPI libraries, plug-ins and launchers',
  kinds: {
    'no-plugin': {
      severity: 'blocks',
      when: 'no MPI plug-in is built whose library loads',
      consequence: 'No job can run, not even on one rank: ranks talk through MPI.',
      remedy:
        'Install an MPI and build: apt-get install openmpi-bin libopenmpi-dev && npm run build. On a cluster, load its MPI module before.',
    },
    'plugin-library-missing': {
      severity: 'warning',
      when: "a plug-in is built, and the loader does not find that MPI's libraries",
      consequence: 'Runs that this MPI starts end with E_MPI_MISSING.',
      remedy: 'Put the folder of its libmpi on LD_LIBRARY_PATH (load its module), or use the other MPI.',
    },
    'launcher-without-plugin': {
      severity: 'blocks',
      when: 'the launcher that started this process speaks an MPI that has no usable plug-in',
      consequence: 'The ranks cannot connect: run ends with E_MPI_MISSING.',
      remedy: "Start with the other MPI's mpirun, or install this one and build again: npm run build",
    },
    'launcher-without-mpi': {
      severity: 'blocks',
      when: 'the launcher started several processes and speaks no MPI with them',
      consequence: 'Every process would run alone as rank 0 of 1; run ends with E_LAUNCHER_MISMATCH.',
      remedy: 'srun --mpi=pmix for Open MPI, srun --mpi=pmi2 for MPICH, or mpirun.',
    },
    'launcher-contradicts': {
      severity: 'blocks',
      when: 'variables of a launcher contradict what can be seen of the launcher itself',
      consequence:
        'run ends with E_LAUNCHER_MISMATCH before MPI is opened, which would abort or build a wrong world.',
      remedy: 'Unset the variables that are named, or start railrunner from the launcher directly.',
    },
    'no-mpirun': {
      severity: 'warning',
      when: 'there is no mpirun on PATH, and no launcher started this process',
      consequence: 'Several ranks cannot be started from here; one rank works.',
      remedy: 'apt-get install openmpi-bin, load an MPI module, or start by srun.',
    },
    'mpirun-mismatch': {
      severity: 'warning',
      when: 'plain mpirun is of an MPI that has no usable plug-in',
      consequence: 'Ranks started by it end with E_MPI_MISSING or E_LAUNCHER_MISMATCH.',
      remedy: 'Use mpirun.openmpi or mpirun.mpich by name, or build the plug-in: npm run build:native',
    },
    'several-mpis': {
      severity: 'info',
      when: 'mpiruns of several MPIs are on PATH',
      consequence: 'Which MPI runs depends on the name of the command; their options differ.',
      remedy: 'Name it: mpirun.openmpi, mpirun.mpich, or `launch --mpi`. The manifest says which one ran.',
    },
  },
  read: ({ nativeFolder }) => ({
    plugins: MPI_NAMES.flatMap((name) => readPlugin(name, nativeFolder)),
    mpiruns: mpirunsOnPath(),
  }),
  judge: ({ plugins, mpiruns }, { launcher }) => {
    const usable = plugins.filter(({ missing }) => missing.length === 0);
    const names = usable.map((plugin) => plugin.mpi);
    const broken = plugins.filter(({ missing }) => missing.length > 0);
    const found: Observation<Kind>[] = [];
    if (usable.length === 0) found.push({ kind: 'no-plugin', what: 'none of the plug-ins can be used' });
    for (const { mpi: name, missing } of broken) {
      found.push({
        kind: 'plugin-library-missing',
        what: `${MPIS[name].title}: ${missing.join(', ')} not found`,
      });
    }
    for (const { mpi: name, library } of usable)
      found.push({
        kind: 'ok',
        what: `plug-in for ${MPIS[name].title}, ${library || 'its library was not asked for (no ldd)'}`,
      });
    return [...found, ...judgeLauncher(names, mpiruns, launcher)];
  },
});
