/**
 * Options of a command as a table over its argument type: an argument without an entry, or an entry of another type, does
 * not compile. What yargs is told, what is checked and what `launch` passes on all come from the table.
 */
import type { Argv, PositionalOptions } from 'yargs';

interface Base<T> {
  readonly describe: string;
  /** Stands without a name behind the command. */
  readonly positional?: true;
  /** Arguments that exclude this one. */
  readonly conflicts?: readonly string[];
  /** What a value, of a list each, must be, in words, and whether it is. */
  readonly expected?: readonly [words: string, holds: (value: T) => boolean];
}

type Scalar<T> = [T] extends [boolean]
  ? { readonly type: 'boolean' }
  : [T] extends [number]
    ? { readonly type: 'number' }
    : string extends T
      ? { readonly type: 'string'; readonly nargs?: 1 }
      : { readonly choices: readonly T[] };

/** A list may be empty unless `required`; `split`: one word may hold several, comma-separated. */
type List<Element> = {
  readonly array: true;
  readonly required?: true;
  readonly nargs?: 1;
  readonly split?: true;
} & ([Element] extends [number] ? { readonly type: 'number' } : object);

type Given<T> = { readonly default: T } | { readonly required: true };

/** An argument of type T. Where T has undefined, it may be left out. */
export type CliOption<T> = undefined extends T
  ? Base<Exclude<T, undefined>> & Scalar<Exclude<T, undefined>>
  : [T] extends [readonly (infer Element)[]]
    ? Base<Element> & List<Element>
    : Base<T> & Scalar<T> & Given<T>;

export type CliOptions<Arguments> = { readonly [Key in keyof Arguments]-?: CliOption<Arguments[Key]> };

/** Any entry, as the code that walks a table sees it. */
interface AnyOption extends Base<unknown> {
  readonly type?: 'string' | 'number' | 'boolean';
  readonly choices?: readonly string[];
  readonly array?: true;
  readonly required?: true;
  readonly nargs?: 1;
  readonly split?: true;
  readonly default?: unknown;
}

/** runId -> run-id */
function optionName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function entriesOf<Arguments>(options: CliOptions<Arguments>): [string, AnyOption][] {
  // The values of a mapped type over a type parameter have no common type that TypeScript can compute.
  return Object.entries(options) as [string, AnyOption][];
}

/**
 * yargs turns words into numbers by itself where no type is given, and leaves what is none as it was typed: with the type
 * `number` all that is left of it is NaN.
 */
function yargsOption(option: AnyOption): PositionalOptions {
  const { describe, type, choices, array, required, split, conflicts } = option;
  return {
    describe,
    ...(choices ? { choices } : type === 'number' ? {} : { type: type ?? 'string' }),
    ...(array ? { array, ...(required ? {} : { default: [] }) } : {}),
    ...(required ? { demandOption: true } : {}),
    ...('default' in option ? { default: option.default } : {}),
    ...(conflicts ? { conflicts: conflicts.map(optionName) } : {}),
    ...(split
      ? { coerce: (lists: readonly string[]) => lists.flatMap((list) => list.split(',').filter(Boolean)) }
      : {}),
  };
}

/** Tells yargs the options, and checks the values that it reads. */
export function withOptions<Arguments>(yargs: Argv<object>, options: CliOptions<Arguments>): Argv<Arguments> {
  const entries = entriesOf(options);
  let told: Argv<object> = yargs;
  for (const [key, option] of entries) {
    told = option.positional
      ? told.positional(optionName(key), yargsOption(option))
      : told.option(optionName(key), {
          ...yargsOption(option),
          ...(option.nargs ? { nargs: option.nargs } : {}),
          ...(option.type === 'number' ? { requiresArg: true } : {}),
        });
  }
  const checked = told.check((argv) => {
    const values: Readonly<Record<string, unknown>> = argv;
    for (const [key, { type, expected, positional }] of entries) {
      const value = values[key];
      if ((expected === undefined && type !== 'number') || value === undefined) continue;
      const [words, holds] = expected ?? ['a number', () => true];
      const name = positional === true ? key : key.length === 1 ? `-${key}` : `--${optionName(key)}`;
      const holdsType = (each: unknown): boolean => type !== 'number' || typeof each === 'number';
      const wrong = [value].flat().find((each) => !holdsType(each) || !holds(each));
      if (wrong === undefined) continue;
      const received = typeof wrong === 'string' ? JSON.stringify(wrong) : String(wrong);
      throw new Error(`${name}: expected ${words}, received ${received}`);
    }
    return true;
  });
  // The table has an entry of the right type for every argument: the compiler has seen to that.
  return checked as unknown as Argv<Arguments>;
}

/** The arguments as words of a command line: positionals first, what was not given left out. */
export function wordsOf<Arguments extends object>(options: CliOptions<Arguments>, args: Arguments): string[] {
  const values = new Map<string, unknown>(Object.entries(args));
  const words = (wanted: boolean): string[] =>
    entriesOf(options)
      .filter(([, { positional }]) => (positional === true) === wanted)
      .flatMap(([key]) => {
        const given = [values.get(key) ?? []].flat();
        return given.flatMap((value) => (wanted ? [String(value)] : [`--${optionName(key)}`, String(value)]));
      });
  return [...words(true), ...words(false)];
}

/** For `expected`: an integer of that range. */
export function wholeNumber(
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): readonly [string, (value: number) => boolean] {
  const words = `a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`;
  return [words, (value) => Number.isSafeInteger(value) && value >= least && value <= most];
}
