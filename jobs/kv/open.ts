/** Stage `prepare` of offload and onboard. */
import type { OpenPoint, PointContext } from '../job.js';
import { RunnerError } from '../../runner/errors.js';

export async function openTransfer(context: PointContext): Promise<OpenPoint> {
  const { kind } = context.point.job;
  throw new RunnerError(
    'E_UNSUPPORTED_HERE',
    `${kind}: this build has no native KV room; points are only planned`,
  );
}
