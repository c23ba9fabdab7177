/**
 * A worker's schedule: the leader's request and the worker's own enqueue meet by operation id, in either order; then the
 * operation runs. An operation that was cancelled before is not run. Results are kept for the worker's own side.
 */
import { RunnerError } from '../../../runner/errors.js';
import type { ConnectorRequest } from './message.js';

export type Decision = 'execute' | 'cancel';

/** Of one operation. An error's text; null: well. */
export type Result = { readonly error: string | null };

export interface ScheduledTransfer {
  readonly decision: Decision;
  /** Exactly once; of a cancelled operation too. */
  markComplete(result: Result): void;
}

interface Operation {
  leaderAsked: boolean;
  workerEnqueued: boolean;
  cancelled: boolean;
  /** Ends the wait of the leader's request; null: nobody waits. */
  decide: (() => void) | null;
  result: Result | null;
}

export class TransferScheduler {
  readonly #operations = new Map<string, Operation>();

  /**
   * Resolves to the decision, once there is one. An operation id is scheduled once. Rejects with E_TIMEOUT where the
   * worker's own side does not reach the operation in time: it is cancelled then.
   */
  async schedule(request: ConnectorRequest, timeoutMs: number): Promise<ScheduledTransfer> {
    const operation = this.#operation(request.uuid);
    if (operation.leaderAsked) {
      throw new RunnerError(
        'E_ARGUMENT',
        `block transfer request: operation ${request.uuid}: expected one request, received a second. Give each its own id.`,
      );
    }
    operation.leaderAsked = true;
    const isDue = request.request_type === 'immediate' || operation.workerEnqueued || operation.cancelled;
    if (!isDue) await this.#untilDecided(request.uuid, operation, timeoutMs);
    return {
      decision: operation.cancelled ? 'cancel' : 'execute',
      markComplete: (result) => this.#complete(request.uuid, operation, result),
    };
  }

  /** The worker's own side has reached the operation. */
  enqueue(uuid: string): void {
    const operation = this.#operation(uuid);
    operation.workerEnqueued = true;
    this.#decide(operation);
  }

  /** False: too late, it runs or has run. */
  cancel(uuid: string): boolean {
    const operation = this.#operation(uuid);
    const waits = !operation.leaderAsked || operation.decide !== null;
    if (!waits) return false;
    operation.cancelled = true;
    this.#decide(operation);
    return true;
  }

  /** Takes the result of a completed operation away; null: not complete. Failed ones are complete as well. */
  takeResult(uuid: string): Result | null {
    const result = this.#operations.get(uuid)?.result ?? null;
    if (result !== null) this.#operations.delete(uuid);
    return result;
  }

  /** Ids of operations that somebody asked for and that have no result yet. */
  pending(): string[] {
    return [...this.#operations].filter(([, { result }]) => result === null).map(([uuid]) => uuid);
  }

  #operation(uuid: string): Operation {
    let operation = this.#operations.get(uuid);
    if (operation === undefined) {
      operation = { leaderAsked: false, workerEnqueued: false, cancelled: false, decide: null, result: null };
      this.#operations.set(uuid, operation);
    }
    return operation;
  }

  async #untilDecided(uuid: string, operation: Operation, timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        operation.decide = null;
        operation.cancelled = true;
        const error = `operation ${uuid}: expected the worker to enqueue it within ${timeoutMs / 1000} s, it did not come to it`;
        operation.result = { error };
        reject(new RunnerError('E_TIMEOUT', error));
      }, timeoutMs);
    });
    try {
      await Promise.race([new Promise<void>((resolve) => (operation.decide = resolve)), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #decide(operation: Operation): void {
    const { decide } = operation;
    operation.decide = null;
    decide?.();
  }

  #complete(uuid: string, operation: Operation, result: Result): void {
    if (operation.result !== null) {
      throw new RunnerError('E_STATE', `operation ${uuid} was marked complete before: expected once`);
    }
    operation.result = result;
  }
}
