/** The command line: only text, no work. What a command needs is imported when it runs, so that help is quick. */
import yargs, { type Argv, type CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import type { LoadModelReport } from '../job/model-report.js';
import type { LoadSimulation } from '../job/simulation.js';
import { printOut } from '../print.js';
import { abCommand } from './ab.js';
import { compareCommand } from './compare.js';
import { doctorCommand } from './doctor.js';
import { exampleCommand } from './example.js';
import { launchCommand } from './launch.js';
import { refuseMissingArgument } from './missing-argument.js';
import { modelCommand } from './model.js';
import { planCommand } from './plan.js';
import { reportCommand } from './report.js';
import { refuseRepeatedOptions } from './repeated-options.js';
import { refuseUnknownCommand } from './unknown-command.js';
import { usageError } from './usage-error.js';
import { runCommand } from './run.js';
import { schemaCommand } from './schema.js';
import { simulateCommand } from './simulate.js';
import { validateCommand } from './validate.js';

const USAGE = `$0 <command>

Runs KV-cache and MoE communication jobs on every rank of mpirun or srun, verifies every byte,
and writes one CSV row for each rank and measured point.`;

/** What the command line takes from the jobs. bin/railrunner hands it in, so that help is quick. */
export interface JobLoaders {
  readonly loadKinds: LoadKinds;
  readonly loadModelReport: LoadModelReport;
  readonly loadSimulation: LoadSimulation;
}

/** Runs one command line. The exit status is left in process.exitCode, or is the thrown RunnerError's. */
export async function runCommandLine(
  args: readonly string[],
  version: string,
  { loadKinds, loadModelReport, loadSimulation }: JobLoaders,
): Promise<void> {
  refuseRepeatedOptions(args);
  const commands = [
    commandOf(runCommand(loadKinds)),
    commandOf(launchCommand(loadKinds)),
    commandOf(validateCommand(loadKinds)),
    commandOf(planCommand(loadKinds)),
    commandOf(abCommand(version)),
    commandOf(compareCommand(version)),
    commandOf(reportCommand(version)),
    commandOf(exampleCommand(loadKinds)),
    commandOf(schemaCommand(loadKinds)),
    commandOf(doctorCommand(loadKinds)),
    commandOf(modelCommand(loadModelReport)),
    commandOf(simulateCommand(loadSimulation)),
  ];
  refuseUnknownCommand(
    args,
    commands.map(({ name }) => name),
  );
  const parser = commands
    .reduce((told, { addTo }) => addTo(told), yargs([...args]))
    // Scripts look for these sentences, and all others are English.
    .locale('en')
    .scriptName('railrunner')
    .usage(USAGE)
    .demandCommand(1, 'Say which command to run.')
    // What `ab` is told of a side may begin with an option of `run`.
    .parserConfiguration({ 'nargs-eats-options': true })
    .strict()
    .version(version)
    // Unwrapped: measuring every word's width would take a fifth of the time that help may take.
    .wrap(null)
    .exitProcess(false)
    .fail((message: string | null, error: Error) => {
      // What yargs and its checks complain of has a message; a command's own failure comes without.
      if (message === null) throw error;
      refuseMissingArgument(message, args, commands);
      throw usageError(message);
    });
  await parser.parseAsync([...args], {}, (_error, _argv, output) => {
    if (output) printOut(output);
  });
}

interface Command {
  /** "launch" of "launch <spec>". */
  readonly name: string;
  /** "launch <spec>", as help shows it. */
  readonly form: string;
  addTo(parser: Argv): Argv;
}

/** Commands have different arguments; yargs is told each by itself. */
function commandOf<Arguments>(module: CommandModule<object, Arguments>): Command {
  return {
    name: String(module.command).split(' ')[0] ?? '',
    form: String(module.command),
    addTo: (parser) => parser.command(module),
  };
}
