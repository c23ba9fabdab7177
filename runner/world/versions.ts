/** Ranks that run different builds misunderstand each other, with arbitrary symptoms: compared first. */
import { RunnerError } from '../errors.js';
import type { NativeAddon } from '../native/types/index.js';
import { railrunnerVersion } from '../project.js';
import { itemAt } from '../values/items.js';
import { rankList } from '../text/ranges.js';
import type { World } from './world.js';

/** What must be alike on all ranks. The manifest records more: hosts of one run may differ in their kernels. */
export interface Versions {
  readonly railrunner: string;
  readonly addon: string;
  readonly mpi: string;
  readonly node: string;
}

export function ownVersions(world: World, addon: NativeAddon): Versions {
  const build = addon.buildInfo();
  const parts = [
    build.buildType,
    build.compiler,
    ...(build.cuda === null ? [] : [`CUDA ${build.cuda}`]),
    ...(build.sanitizers === '' ? [] : [`sanitizers ${build.sanitizers}`]),
  ];
  return {
    railrunner: railrunnerVersion(),
    addon: `${build.version} (${parts.join(', ')})`,
    mpi: `${world.info.mpiName}: ${world.info.mpiVersion}`,
    node: process.version,
  };
}

/** What a rank says of itself when versions are compared. */
export interface RankVersions {
  readonly hostname: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Hosts that a message names for one version; of more there is only a number. */
const SHOWN_HOSTS = 3;

/** One sentence for each name in which ranks differ. `all` is by rank. */
export function versionDifferences(all: readonly RankVersions[]): string[] {
  const names = [...new Set(all.flatMap(({ versions }) => Object.keys(versions)))];
  return names.flatMap((name) => {
    const ranksOf = new Map<string, number[]>();
    all.forEach(({ versions }, rank) => {
      const version = versions[name] ?? 'none';
      ranksOf.set(version, [...(ranksOf.get(version) ?? []), rank]);
    });
    if (ranksOf.size === 1) return [];
    const places = [...ranksOf].map(
      ([version, ranks]) =>
        `${version} on ${rankList(ranks)} (${hostList(ranks.map((rank) => itemAt(all, rank).hostname))})`,
    );
    return [`${name}: ${places.join(', ')}`];
  });
}

function hostList(names: readonly string[]): string {
  const hosts = [...new Set(names)];
  const rest = hosts.length - SHOWN_HOSTS;
  return `${hosts.slice(0, SHOWN_HOSTS).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/**
 * Collective. Throws E_VERSION_MISMATCH on all ranks, naming who runs what. What ranks are built from counts as well:
 * builds of one version number may differ, and then misunderstand each other, which looks like wrong data.
 */
export async function compareVersions(world: World, own: Versions, timeoutMs: number): Promise<void> {
  const { hostname } = world.info;
  const said: RankVersions = { hostname, versions: { ...own, ...world.build } };
  const differences = versionDifferences(await world.allgatherJson(said, timeoutMs));
  if (differences.length === 0) return;
  throw new RunnerError(
    'E_VERSION_MISMATCH',
    `all ranks must run the same build; they differ in ${differences.join('; ')}. ` +
      `Install the same build on every node.`,
  );
}
