/** Who may include whom in native/: includes point down the levels only, and each library has one room. */
import type { Source, Violation } from './sources.js';

/** Rooms by level, lowest first. Rooms of one level do not know each other. */
const LEVELS: readonly (readonly string[])[] = [
  ['core'],
  ['device'],
  ['storage', 'peers', 'network', 'world'],
  ['kv', 'collective', 'moe'],
  ['replicated'],
  ['binding'],
];

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

function levelOf(room: string): number {
  return LEVELS.findIndex((rooms) => rooms.includes(room));
}

function ownFault(path: string, room: string, target: string): [string, string] | null {
  const targetRoom = target.split('/')[0] ?? '';
  if (targetRoom === room || room === 'test' || `${room} -> ${target}` in DOCUMENTED) return null;
  if (levelOf(targetRoom) < 0) return [`"${target}" names no room`, 'Write it from native/: "room/file.h"'];
  if (levelOf(room) < 0)
    return [`${path} lies in no room`, 'Add the room to LEVELS in test/rules/includes.ts'];
  if (levelOf(targetRoom) < levelOf(room)) return null;
  const way = levelOf(targetRoom) === levelOf(room) ? 'sideways' : 'upwards';
  return [
    `includes ${way}: ${room} -> ${targetRoom}`,
    'Take what is needed as an argument, or move it down a level',
  ];
}

export function includeViolations(sources: readonly Source[]): Violation[] {
  const violations: Violation[] = [];
  for (const { path, text } of sources) {
    const room = path.split('/')[1] ?? '';
    text.split('\n').forEach((line, index) => {
      const [, kind, target] = /^\s*#\s*include\s*(["<])([^">]+)[">]/.exec(line) ?? [];
      if (target === undefined) return;
      const where = `${path}:${index + 1}`;
      for (const [header, home, remedy] of LIBRARIES) {
        if (header.test(target) && !home.test(path) && room !== 'test') {
          violations.push({ where, what: `<${target}> is not for this room`, remedy });
        }
      }
      const fault = kind === '"' ? ownFault(path, room, target) : null;
      if (fault) violations.push({ where, what: fault[0], remedy: fault[1] });
    });
  }
  return violations;
}
