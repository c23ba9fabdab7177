/** The methods that native/binding registers are those that runner/native/types declares: nothing else compares the two. */
import t from 'tap';
import { sourcesBelow, type Source } from './sources.js';

const textOf = (sources: readonly Source[]): string => sources.map(({ text }) => text).join('\n');
const namesIn = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? '');

/** Methods of interfaces: `  openDevice(kind: ...): Promise<...>;` */
function declared(types: string): Set<string> {
  return new Set(namesIn(types, /^ {2}(\w+)\(/gm));
}

/** `{"probe", probeOperation<...>}` of a handle's methods, and functions that are set on exports or on a device. */
function registered(bindings: string): Set<string> {
  return new Set([
    ...namesIn(bindings, /\{"(\w+)", \w+(?:<[^}]*>)?\}/g),
    ...namesIn(bindings, /\.Set\("(\w+)", Napi::Function::New/g),
  ]);
}

const missing = (from: ReadonlySet<string>, wanted: ReadonlySet<string>): string[] =>
  [...wanted].filter((name) => !from.has(name)).toSorted();

const types = textOf(sourcesBelow(['runner/native/types'], /\.ts$/));
const bindings = textOf(sourcesBelow(['native/binding'], /\.(cc|h)$/));

t.test('what is declared is registered, and the other way round', async (t) => {
  t.ok(declared(types).size > 30);
  t.same(missing(registered(bindings), declared(types)), [], 'declared in runner/native/types only');
  t.same(missing(declared(types), registered(bindings)), [], 'registered in native/binding only');
});

t.test('a method on one side only is found', async (t) => {
  const more = `${types}\n  openNothing(): Promise<void>;\n`;
  t.same(missing(registered(bindings), declared(more)), ['openNothing']);
  const handle = `${bindings}\n  return makeHandle(env, state, kKind, {{"rewind", rewind}, {"tell", tell<A, kB>}});\n`;
  t.same(missing(declared(types), registered(handle)), ['rewind', 'tell']);
});
