/** Faults that a test asks for, so that its alarms can be heard: a decision that one rank carries out wrongly, a stale block. */
import type { NativePool } from '../../runner/native/types/index.js';
import { valueOf } from '../../runner/values/items.js';
import type { Opened } from './opened.js';
import { blocksPerSlot } from './tiers.js';
import { movesOf } from './window-builder.js';
import type { MoveList, ReplayWindow } from './window.js';

/** Once: the first window that has something to do wrong. */
export async function plantFaults(
  { context, spec, pools, served }: Opened,
  window: ReplayWindow,
): Promise<ReplayWindow> {
  if (served.windows.length === 0) return window;
  if (context.injectedFaults.includes('misorder')) return misordered(window);
  if (context.injectedFaults.includes('corrupt'))
    await corruptHit(window, valueOf(pools, 'device'), blocksPerSlot(spec));
  return window;
}

/** Loads of one request take each other's blocks. */
function misordered(window: ReplayWindow): ReplayWindow {
  const source = window.source.slice();
  for (const { begin, end } of listsOf(window, 'host->device', 2)) {
    source.set([...source.subarray(begin, end)].reverse(), begin);
  }
  return { ...window, source };
}

/** One bit of a block that the first request of the window finds in the device. */
async function corruptHit(window: ReplayWindow, device: NativePool, blocksPerSlot: number): Promise<void> {
  const [first] = listsOf(window, 'hits', 1);
  if (first === undefined || first.request !== 0) return;
  const slotBytes = blocksPerSlot * (device.geometry.groups[0]?.outers[0]?.blockStrideBytes ?? 0);
  const offset = (window.source[first.begin] ?? 0) * slotBytes;
  const [byte = 0] = await device.readBytes(offset, 1);
  await device.writeBytes(offset, Uint8Array.of(byte ^ 1));
}

function listsOf(window: ReplayWindow, wanted: MoveList, least: number) {
  return [...movesOf(window)].filter(({ list, begin, end }) => list === wanted && end - begin >= least);
}
