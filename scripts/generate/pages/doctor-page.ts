/** docs/doctor.md from the table of checks. */
import { CHECKS } from '../../../runner/doctor/checks.js';
import { UNREADABLE, type Check, type FindingKind } from '../../../runner/doctor/finding.js';
import { GENERATED, table } from './markdown.js';

const HEAD = ['finding', 'severity', 'reported when', 'consequence', 'remedy'];

function row(name: string, { severity, when, consequence, remedy }: FindingKind): string[] {
  return [`\`${name}\``, severity, when, consequence, remedy];
}

function section({ name, looksAt, kinds }: Check): string {
  const rows = Object.entries(kinds).map(([kind, texts]) => row(kind, texts));
  return `## ${name}: ${looksAt}\n\n${table(HEAD, rows)}`;
}

export function doctorPage(): string {
  return `${GENERATED}

# doctor

    railrunner doctor                                    # this machine
    railrunner doctor SPEC --world-size 8 --ranks-here 4 # can it run here, with 4 of 8 ranks on this machine?
    mpirun ... railrunner doctor SPEC                    # the first rank of each machine, bound as ranks are
    railrunner doctor --json                             # for programs

Doctor inspects the machine and changes nothing. It does not open MPI, and works without GPU, MPI or a native build: what is
missing is a finding. The exit status is 0; with a spec it is 3 if the spec cannot run here, and 2 if the spec is invalid.
Points that this machine would skip are listed with the reason. Options that change a spec are those of \`run\`.

A finding \`blocks\` if nothing, or not this spec, can run; a \`warning\` means that it runs, but figures or data paths are not
what they seem; \`info\` helps to interpret the figures.

${CHECKS.map(section).join('\n\n')}

## any check

${table(HEAD, [row('unreadable', UNREADABLE)])}
`;
}
