/** Native test programs (native/test/NAME_test.cc), built on first use into a folder of their own for each sanitizer. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { run } from './run-cli.js';

export type Sanitizer = 'none' | 'thread' | 'address,undefined';

async function mustRun(command: string, args: readonly string[]): Promise<void> {
  const ended = await run(command, args, { timeoutMs: 300_000 });
  if (ended.status === 0) return;
  throw new Error(
    `${command} ${args.join(' ')}: status ${ended.status}\n${ended.stdout.slice(-3000)}${ended.stderr}`,
  );
}

/**
 * Builds native/test/NAME.cc and returns the program's path. A second call is a matter of milliseconds. `cuda` builds
 * the cuda device too, for programs that run on a GPU.
 */
export async function nativeProgram(
  name: string,
  sanitizer: Sanitizer = 'none',
  cuda: 'with cuda' | 'without cuda' = 'without cuda',
): Promise<string> {
  const withCuda = cuda === 'with cuda';
  const suffix = `${sanitizer === 'none' ? '' : `-${sanitizer.replace(',', '-')}`}${withCuda ? '-cuda' : ''}`;
  const folder = join(projectRoot, `build-native-tests${suffix}`);
  const sanitize = sanitizer === 'none' ? '' : sanitizer;
  mkdirSync(folder, { recursive: true });
  const locked = ['-o', join(folder, '.lock'), 'cmake']; // test files that run side by side share the folder
  await mustRun('flock', [
    ...locked,
    '-S',
    join(projectRoot, 'native'),
    '-B',
    folder,
    '-DCMAKE_BUILD_TYPE=Release',
    `-DWITH_CUDA=${withCuda ? 'ON' : 'OFF'}`,
    '-DBUILD_NATIVE_TESTS=ON',
    `-DSANITIZE=${sanitize}`,
  ]);
  await mustRun('flock', [...locked, '--build', folder, '--target', name, '-j', '2']);
  return join(folder, 'Release', name);
}
