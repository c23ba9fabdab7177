/** The work of `doctor`: one process that looks at its machine; under a launcher, the first rank of each. */
import { readEnvironment, disableUcxHooks, ucxVariables } from '../environment/variables.js';
import { localPlace } from '../environment/launcher.js';
import { currentLauncher } from '../world/world.js';
import { ncclLibrariesOf } from '../environment/nccl.js';
import { examine } from '../doctor/examine.js';
import { probeAddon } from '../doctor/probes.js';
import { jsonText, tableText } from '../doctor/report.js';
import type { SpecToJudge } from '../doctor/context.js';
import { EXIT } from '../errors.js';
import { nativeFolder } from '../native/binding.js';
import type { JobKind } from '../job/kind.js';
import { setEnvironmentKeys } from '../job-spec/environment-keys.js';
import { loadSpec } from '../job-spec/load.js';
import type { CommandResult } from './command-result.js';
import { loadOptions, type SpecArguments } from './spec-options.js';

export interface DoctorArguments extends SpecArguments {
  readonly spec: string | undefined;
  readonly worldSize: number | undefined;
  readonly ranksHere: number | undefined;
  readonly json: boolean;
}

const SILENT: CommandResult = { stdout: '', stderr: '', exitStatus: EXIT.ok };

export async function doctor(argv: DoctorArguments, kinds: readonly JobKind[]): Promise<CommandResult> {
  const environment = readEnvironment();
  const { variables } = environment;
  const launcher = currentLauncher();
  const local = localPlace(variables, launcher);
  if (local.rank > 0) return SILENT;
  const worldSize = argv.worldSize ?? launcher.size ?? 1;
  const ranksHere = Math.min(worldSize, argv.ranksHere ?? local.size ?? worldSize);
  const job: SpecToJudge | null =
    argv.spec === undefined
      ? null
      : { path: argv.spec, spec: loadSpec(argv.spec, loadOptions(argv, kinds, variables)), kinds };
  disableUcxHooks();
  const report = await examine({
    launcher,
    variables,
    environmentKeys: setEnvironmentKeys(kinds, variables),
    worldSize,
    ranksHere,
    localRank: local.rank,
    nativeFolder: nativeFolder(),
    probes: await probeAddon(ncclLibrariesOf(environment), ucxVariables(variables)),
    job,
  });
  return {
    stdout: argv.json ? jsonText(report) : tableText(report),
    stderr: '',
    exitStatus: report.exitStatus,
  };
}
