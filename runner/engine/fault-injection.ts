/**
 * Injected faults, so that tests (and owners of a CI who want to see their alarms ring) can watch what happens.
 * RAILRUNNER_FAULT="rank=1,point=0,stage=measure,action=throw"; several are separated by ';'.
 */
import { takeCoverage } from 'node:v8';
import type { InjectedFaultName } from '../job/context.js';
import { RunnerError } from '../errors.js';
import { isOneOf } from '../values/items.js';

/** What the engine does itself. */
const ENGINE_ACTIONS = ['throw', 'hang', 'kill', 'freeze'] as const;

/** What a kind does itself, in native code. */
const KIND_ACTIONS = [
  'silence',
  'corrupt',
  'misorder',
  'failLoad',
  'dieInGroup',
  'spinKernel',
  'illegalAccess',
  'wrongSplit',
  'lostPiece',
  'truncatedPiece',
  'earlyNotification',
  'earlyDeviceNotification',
] as const satisfies readonly InjectedFaultName[];

const ACTIONS = [...ENGINE_ACTIONS, ...KIND_ACTIONS] as const;
type Action = (typeof ACTIONS)[number];

interface RequestedFault {
  readonly rank: number;
  readonly point: number;
  readonly stage: string;
  readonly action: Action;
}

export class FaultInjection {
  readonly #faults: readonly RequestedFault[];

  constructor(text: string, rank: number) {
    this.#faults = text
      .split(';')
      .filter((part) => part.trim() !== '')
      .map(parseFault)
      .filter((fault) => fault.rank === rank);
  }

  /** Faults that this rank's kind is to commit in that point. */
  ofKind(point: number): InjectedFaultName[] {
    const actions = this.#faults
      .filter((fault) => fault.point === point)
      .map(({ action }) => action)
      .filter((action) => isOneOf(KIND_ACTIONS, action));
    if (actions.includes('dieInGroup')) takeCoverage();
    return actions;
  }

  /** Does what is planned for this rank at this place; resolves at once where nothing is. */
  async strike(stage: string, point: number): Promise<void> {
    for (const fault of this.#faults) {
      if (fault.stage !== stage || fault.point !== point || isOneOf(KIND_ACTIONS, fault.action)) continue;
      if (fault.action === 'throw') throw new RunnerError('E_JOB', `fault injected in ${stage}`);
      // A process that is killed reports nothing afterwards (NODE_V8_COVERAGE).
      takeCoverage();
      if (fault.action === 'kill') process.kill(process.pid, 'SIGKILL');
      // v8 ignore next -- killed
      if (fault.action === 'freeze') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      await new Promise(() => {});
    }
  }
}

function parseFault(text: string): RequestedFault {
  const fields = new Map<string, string>();
  for (const pair of text.split(',')) {
    const [name = '', value = ''] = pair.trim().split('=', 2);
    fields.set(name, value);
  }
  const rank = Number(fields.get('rank'));
  const point = Number(fields.get('point') ?? '0');
  const stage = fields.get('stage') ?? '';
  const action = fields.get('action');
  if (!Number.isInteger(rank) || !Number.isInteger(point) || stage === '' || !isOneOf(ACTIONS, action)) {
    throw new RunnerError(
      'E_USAGE',
      `RAILRUNNER_FAULT: expected "rank=R,point=P,stage=prepare|measure|verify|close,action=${ACTIONS.join('|')}", received "${text}"`,
    );
  }
  return { rank, point, stage, action };
}
