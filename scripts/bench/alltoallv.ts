/** Dispatch and combine against the same exchange by MPI_Ialltoallv, by turns in one native program: its CSV. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';

const NAME = 'moe_alltoallv_bench';

/** Builds the program and runs it on 4 ranks; returns its CSV. Throws where a step fails. */
function runAlltoallv(iterations: number): string {
  const folder = join(projectRoot, 'build'); // the addon's own, whose objects the program shares
  mustRun('cmake', ['--build', folder, '--target', NAME, '-j', '2']);
  const asRoot = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
  const program = join(folder, 'Release', NAME);
  const plugin = join(folder, 'Release', 'railrunner_mpi_openmpi.so');
  const launch = [...asRoot, '--oversubscribe', '--bind-to', 'none', '-n', '4'];
  return mustRun('mpirun.openmpi', [...launch, program, plugin, String(iterations)]);
}

function mustRun(command: string, args: readonly string[]): string {
  const ended = spawnSync(command, args, { encoding: 'utf8' });
  if (ended.status === 0) return ended.stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
}

export function measureAlltoallv(csvPath: string, quick: boolean): void {
  if (!existsSync(join(projectRoot, 'native', 'test', `${NAME}.cc`))) {
    console.log('skipped, needs the sources of the native programs, which a bundle lacks');
    return;
  }
  const csv = runAlltoallv(quick ? 50 : 300);
  console.log(csv);
  writeFileSync(csvPath, csv);
}
