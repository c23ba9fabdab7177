/** What a check says: kinds of findings are fixed texts (the documentation lists them), what was seen is its own. */
import { messageOf } from '../errors.js';
import type { DoctorContext } from './context.js';

/** blocks: no run, or not this spec, is possible here. warning: it runs, and figures or paths are not what they seem. */
export const SEVERITIES = ['blocks', 'warning', 'info', 'ok'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface FindingKind {
  readonly severity: Exclude<Severity, 'ok'>;
  /** When it is said, for the documentation. */
  readonly when: string;
  readonly consequence: string;
  readonly remedy: string;
}

/** One thing that a check noticed: a key of its kinds, or `ok`, with what was seen here. */
export interface Observation<Kind extends string = string> {
  readonly kind: Kind | 'ok';
  readonly what: string;
}

export interface Finding {
  readonly check: string;
  readonly kind: string;
  readonly severity: Severity;
  readonly what: string;
  /** Empty where all is well. */
  readonly consequence: string;
  readonly remedy: string;
}

interface CheckParts<Reading, Kind extends string> {
  readonly name: string;
  /** What it looks at, for the documentation. */
  readonly looksAt: string;
  readonly kinds: Readonly<Record<Kind, FindingKind>>;
  /** Asks the machine. May throw: the finding is then `unreadable`. */
  read(context: DoctorContext): Reading | Promise<Reading>;
  /** Pure: what the reading means. */
  judge(reading: Reading, context: DoctorContext): readonly Observation<Kind>[];
}

export interface Check {
  readonly name: string;
  readonly looksAt: string;
  readonly kinds: Readonly<Record<string, FindingKind>>;
  examine(context: DoctorContext): Promise<Finding[]>;
}

/** For every check: what could not be asked is said, and hides no other check. */
export const UNREADABLE: FindingKind = {
  severity: 'info',
  when: 'the machine could not be asked',
  consequence: 'this part of the machine is not judged',
  remedy: 'Look at it by hand, or run doctor where the files and programs that it names can be read.',
};

export function defineCheck<Reading, Kind extends string>(
  parts: CheckParts<Reading, Kind>,
): Check & Pick<CheckParts<Reading, Kind>, 'judge'> {
  const { name, looksAt, kinds, read, judge } = parts;
  const complete = ({ kind, what }: Observation<Kind>): Finding => {
    if (kind === 'ok') return { check: name, kind, severity: 'ok', what, consequence: '', remedy: '' };
    const { severity, consequence, remedy } = kinds[kind];
    return { check: name, kind, severity, what, consequence, remedy };
  };
  const examine = async (context: DoctorContext): Promise<Finding[]> => {
    try {
      return judge(await read(context), context).map(complete);
    } catch (error) {
      const what = `could not be read: ${messageOf(error)}`;
      const { severity, consequence, remedy } = UNREADABLE;
      return [{ check: name, kind: 'unreadable', severity, what, consequence, remedy }];
    }
  };
  return { name, looksAt, kinds, judge, examine };
}
