/** Keys of jobs that environment variables fix: stronger than the spec, weaker than --set. */
import { integerVariable, type Variables } from '../environment/variables.js';
import type { EnvironmentKey, SpecKind } from './spec-kind.js';

/** One that is set, with its value. */
export interface SetEnvironmentKey extends EnvironmentKey {
  readonly value: number;
}

/** The variables of all kinds, each once. */
export function environmentKeys(kinds: readonly SpecKind[]): readonly EnvironmentKey[] {
  const entries = kinds.flatMap((kind) => kind.environmentKeys ?? []);
  return [...new Map(entries.map((entry) => [entry.name, entry])).values()];
}

/** Those that are set. Throws E_USAGE for one whose value is not an integer of its range, used by a job or not. */
export function setEnvironmentKeys(
  kinds: readonly SpecKind[],
  variables: Variables,
): readonly SetEnvironmentKey[] {
  return environmentKeys(kinds).flatMap((entry) => {
    const value = integerVariable(entry, variables);
    return value === undefined ? [] : [{ ...entry, value }];
  });
}
