/** Who may include whom in native/: includes point down the levels only, and each library has one module. */
import type { Source, Violation } from './sources.js';

/** Modules by level, lowest first. Modules of one level do not know each other. */
const LEVELS: readonly (readonly string[])[] = [
  ['core'],
  ['device'],
  ['storage', 'peers', 'network', 'world'],
  ['kv', 'collective', 'moe'],
  ['replicated', 'transfer'],
  ['replay'],
  ['binding'],
];

/** Programs that use the modules, and are used by none. */
const OUTSIDE: ReadonlySet<string> = new Set(['test', 'bench']);

/** Sideways includes that have a reason. */
const DOCUMENTED: Readonly<Record<string, string>> = {};

/** Libraries that only one place may see, so that the rest builds and runs without them. */
const LIBRARIES: readonly (readonly [RegExp, RegExp, string])[] = [
  [/^napi\.h$/, /^native\/binding\/napi_setup\.h$/, 'Include "binding/napi_setup.h" (binding only)'],
  [/^mpi\.h$/, /^native\/world\/plugin\//, 'Call MPI through the plug-in table of native/world'],
  [/^(ucp|uct|ucs)\//, /^native\/network\//, 'Call UCX through native/network'],
  [/^liburing\.h$/, /^native\/storage\//, 'Use the disk through native/storage'],
  [/^hwloc\.h$/, /^native\/(device|storage)\//, 'Ask native/device for the NUMA node'],
  [/^nccl\.h$/, /^native\/collective\//, 'Call NCCL through native/collective'],
  [/^cuda(_|\.h)/, /\/cuda\/|\.cuh?$|^native\/collective\//, 'Keep CUDA calls in device/cuda and .cu files'],
];

function levelOf(module: string): number {
  return LEVELS.findIndex((modules) => modules.includes(module));
}

function ownIssue(path: string, module: string, target: string): [string, string] | null {
  const targetModule = target.split('/')[0] ?? '';
  if (targetModule === module || OUTSIDE.has(module) || `${module} -> ${target}` in DOCUMENTED) return null;
  if (levelOf(targetModule) < 0)
    return [`"${target}" names no module`, 'Write it from native/: "module/file.h"'];
  if (levelOf(module) < 0)
    return [`${path} lies in no module`, 'Add the module to LEVELS in test/rules/includes.ts'];
  if (levelOf(targetModule) < levelOf(module)) return null;
  const direction = levelOf(targetModule) === levelOf(module) ? 'sideways' : 'upwards';
  return [
    `includes ${direction}: ${module} -> ${targetModule}`,
    'Take what is needed as an argument, or move it down a level',
  ];
}

export function includeViolations(sources: readonly Source[]): Violation[] {
  const violations: Violation[] = [];
  for (const { path, text } of sources) {
    const module = path.split('/')[1] ?? '';
    text.split('\n').forEach((line, index) => {
      const [, kind, target] = /^\s*#\s*include\s*(["<])([^">]+)[">]/.exec(line) ?? [];
      if (target === undefined) return;
      const where = `${path}:${index + 1}`;
      for (const [header, home, remedy] of LIBRARIES) {
        if (header.test(target) && !home.test(path) && !OUTSIDE.has(module)) {
          violations.push({ where, what: `<${target}> is not for this module`, remedy });
        }
      }
      const fault = kind === '"' ? ownIssue(path, module, target) : null;
      if (fault) violations.push({ where, what: fault[0], remedy: fault[1] });
    });
  }
  return violations;
}

/** Headers of native/test lie with the one module that uses them, and in support/ when several do. */
export function testHeaderViolations(sources: readonly Source[]): Violation[] {
  const tests = sources.filter(({ path }) => /^native\/(test|bench)\//.test(path));
  const violations: Violation[] = [];
  for (const { path: where } of tests.filter(({ path }) => /^native\/test\/.*\.h$/.test(path))) {
    const [module = '', file] = where.slice('native/test/'.length).split('/');
    if (file === undefined) {
      violations.push({ where, what: 'lies in no folder', remedy: 'Move it to its module, or to support/' });
      continue;
    }
    if (module !== 'support') continue;
    const users = tests.filter(({ text }) => text.includes(`#include "test/support/${file}"`));
    const folders = new Set(
      users.map(({ path }) => path.replace(/^native\/(test\/)?/, '').split('/')[0] ?? ''),
    );
    const [only, ...others] = folders;
    if (others.length > 0 || only === 'support' || only === 'bench') continue;
    const what = only === undefined ? 'is included by no test' : `is included only by tests of ${only}`;
    violations.push({
      where,
      what,
      remedy: only === undefined ? 'Delete it' : `Move it to native/test/${only}`,
    });
  }
  return violations;
}
