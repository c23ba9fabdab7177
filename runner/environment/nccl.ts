/** Where NCCL is looked for: the path that was named, or the loader's folders and Python's packages. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './variables.js';
import { parseJson } from '../values/json.js';

const LIBRARY = 'libnccl.so.2';
/** Where NVIDIA's Python package keeps it, below a folder of packages. */
const IN_PACKAGE = join('nvidia', 'nccl', 'lib', LIBRARY);
const PYTHON_TIMEOUT_MS = 10_000;

/** Candidates in order, found on first use. A path that the user named is the only one. */
export function ncclLibrariesOf({ settings }: Environment): () => readonly string[] {
  let found: readonly string[] | undefined;
  return () => (found ??= settings.ncclLibrary ? [settings.ncclLibrary] : [LIBRARY, ...pythonLibraries()]);
}

/** Of the Python that is first in PATH; none where there is no Python. */
function pythonLibraries(): string[] {
  const program = 'import json, sys; print(json.dumps(sys.path))';
  const asked = spawnSync('python3', ['-c', program], { encoding: 'utf8', timeout: PYTHON_TIMEOUT_MS });
  if (asked.status !== 0) return [];
  const folders = [parseJson(asked.stdout)].flat();
  return folders.map((folder) => join(String(folder), IN_PACKAGE)).filter((path) => existsSync(path));
}
