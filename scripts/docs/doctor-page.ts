/** docs/doctor.md from the table of checks. */
import { CHECKS } from '../../runner/doctor/checks.js';
import { UNREADABLE, type Check, type FindingKind } from '../../runner/doctor/finding.js';
import { GENERATED, table } from './markdown.js';

const HEAD = ['finding', 'severity', 'said when', 'consequence', 'remedy'];

function row(name: string, { severity, when, consequence, remedy }: FindingKind): string[] {
  return [`\`${name}\``, severity, when, consequence, remedy];
}

function section({ name, looksAt, kinds }: Check): string {
  const rows = Object.entries(kinds).map(([kind, texts]) => row(kind, texts));
  return `## ${name}\n\nLooks at ${looksAt}.\n\n${table(HEAD, rows)}`;
}

export function doctorPage(): string {
  return `${GENERATED}

# doctor

    railrunner doctor                                    # this machine
    railrunner doctor SPEC --world-size 8 --ranks-here 4 # can it run here, with 4 of 8 ranks on this machine?
    mpirun ... railrunner doctor SPEC                    # the first rank of each machine, bound as ranks are
    railrunner doctor --json                             # for programs

It reads and sets nothing, opens no MPI, and works without GPU, MPI or a native build: what is missing is a finding.
With a spec the exit status is 3 if the spec cannot run here (any finding \`blocks\`), 2 if the spec is not legal, else 0;
points that this machine would skip are listed with the reason. Without a spec it is 0. The options that change a spec
are those of \`run\`.

| severity | meaning |
| --- | --- |
| blocks | no run, or not this spec, is possible here |
| warning | it runs, and figures or paths are not what they seem |
| info | worth knowing when figures are read |
| ok | as it should be |

${CHECKS.map(section).join('\n\n')}

## any check

${table(HEAD, [row('unreadable', UNREADABLE)])}
`;
}
