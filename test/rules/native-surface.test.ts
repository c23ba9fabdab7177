/**
 * What native/binding registers is what runner/native/types declares: methods, arguments in their order, keys with their
 * types and whether they may be absent, results. The addon tells its side itself, by running the code that reads and
 * writes them without values (native/binding/call.h).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { addon } from '../../runner/native/binding.js';
import { projectRoot } from '../../runner/project.js';
import { declaredLines, normalised, TYPES } from './native-types.js';
import { sourcesBelow } from './sources.js';

const registered = addon().surface().map(normalised);

interface Differences {
  readonly onlyDeclared: string[];
  readonly onlyRegistered: string[];
}

function differences(declared: readonly string[]): Differences {
  return {
    onlyDeclared: declared.filter((line) => !registered.includes(line)),
    onlyRegistered: registered.filter((line) => !declared.includes(line)),
  };
}

/** Differences after `from` is replaced by `to` in a file of types. */
function planted(file: string, from: string, to: string): Differences {
  const path = `${TYPES}/${file}.ts`;
  const text = readFileSync(join(projectRoot, path), 'utf8');
  if (!text.includes(from)) throw new Error(`${path} lacks ${from}`);
  return differences(declaredLines(new Map([[path, text.replace(from, to)]])));
}

t.test('what is declared is registered, and the other way round', async (t) => {
  t.ok(registered.length > 700);
  t.same(differences(declaredLines()), { onlyDeclared: [], onlyRegistered: [] });
});

/** "NativePool.check(content.seed): number" -> "seed): number". */
function short(line: string): string {
  const [head = '', ...type] = line.replace(/^\w+\./, '').split(': ');
  return type.length === 0 ? head : [head.replace(/^.*(\.|\((?!\)))/, ''), ...type].join(': ');
}

const places = (lines: readonly string[]): string[] => [...new Set(lines.map(short))];

/** File of types, what is replaced by what, and what is then found on the declared side and on the registered one. */
const PLANTED = [
  ['samples', 'freeRunning:', 'isFree:', ['isFree): boolean'], ['freeRunning): boolean']],
  ['samples', 'warmup: number', 'warmup: bigint', ['warmup): bigint'], ['warmup): number']],
  ['kv', 'owner?: number', 'owner: number', ['owner): number'], ['owner?): number']],
  ['moe', 'numTokens: number', 'numTokens?: number', ['numTokens?): number'], ['numTokens): number']],
  [
    'kv',
    'filled: Int32Array | null',
    'filled: Int32Array',
    ['filled): Int32Array'],
    ['filled): Int32Array | null'],
  ],
  [
    'moe',
    'nodeOfRank: Uint32Array',
    'nodeOfRank: Int32Array',
    ['nodeOfRank): Int32Array'],
    ['nodeOfRank): Uint32Array'],
  ],
  ['moe', "'bf16' | ", '', ["dispatchDtype): 'fp8_e4m3'"], ["dispatchDtype): 'bf16' | 'fp8_e4m3'"]],
  [
    'index',
    'exitNow(status: number)',
    'exitNow(status: () => number)',
    ['status): function'],
    ['status): number'],
  ],
  [
    'index',
    'folder: string, queueDepth: number',
    'folder: string',
    ['probeStorage(folder)'],
    ['probeStorage(folder, queueDepth)', 'queueDepth): number'],
  ],
  [
    'index',
    'path: string, offset: number',
    'offset: number, path: string',
    ['lockByte(offset, path)'],
    ['lockByte(path, offset)'],
  ],
  ['storage', 'diskIo:', 'disk:', ['disk: string'], ['diskIo: string']],
  ['kv', 'numCopies: number', 'numCopies: bigint', ['numCopies: bigint'], ['numCopies: number']],
  ['operation', 'readonly pcie: number;', '', [], ['pcie: number']],
  [
    'world',
    '  barrier(timeoutMs: number): Promise<void>;',
    '',
    [],
    ['barrier(timeoutMs)', 'timeoutMs): number', 'barrier(): Promise<void>'],
  ],
  [
    'world',
    'Promise<Buffer[] | null>',
    'Promise<Buffer[]>',
    ['gather(): Promise<array>'],
    ['gather(): Promise<array | null>'],
  ],
  [
    'world',
    'noteDead(rank: number): void',
    'noteDead(rank: number): Promise<void>',
    ['noteDead(): Promise<void>'],
    ['noteDead(): void'],
  ],
] as const;

t.test('what is on one side only is found, in whichever place it is', async (t) => {
  for (const [file, from, to, declared, native] of PLANTED) {
    const found = planted(file, from, to);
    t.same(places(found.onlyDeclared), declared, `${file}: ${from} -> ${to}`);
    t.same(places(found.onlyRegistered), native, `${file}: ${from} -> ${to}`);
  }
});

/** Files whose code turns values of Node-API into those of C++, and back. */
const CONVERTING = /(arguments|result|call|handle|errors|main_thread|worker_thread)\.(cc|h)$/;
const RAW = /\binfo\[|\.(Get|Set)\(|\.As<|\bnapi_[gs]et_|Napi::\w+::New\b/;

const raw = (text: string): string[] => text.split('\n').filter((line) => RAW.test(line));

t.test('bindings read and write values through what describes them', async (t) => {
  const bindings = sourcesBelow(['native/binding'], /\.(cc|h)$/).filter(({ path }) => !CONVERTING.test(path));
  t.ok(bindings.length > 15);
  t.same(
    bindings.flatMap(({ text }) => raw(text)),
    [],
  );
  t.same(raw('const Napi::Value value = object.Get("threads");\nconst int threads = info[0];').length, 2);
});
