/** Faults that a test asks for, so that its alarms can be heard: a decision that one rank carries out wrongly, a stale block. */
import type { NativePool } from '../../runner/native/types/index.js';
import { firstOf, valueOf } from '../../runner/values/items.js';
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
    await corruptHits(window, valueOf(pools, 'device'), blocksPerSlot(spec));
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

/** One bit of each block that the first request of the window finds in the device: its hits are the first moves. */
async function corruptHits(window: ReplayWindow, device: NativePool, blocksPerSlot: number): Promise<void> {
  const slotBytes = blocksPerSlot * firstOf(firstOf(device.geometry.groups).outers).blockStrideBytes;
  for (const slot of window.source.subarray(0, window.counts[0])) {
    const [byte = 0] = await device.readBytes(slot * slotBytes, 1);
    await device.writeBytes(slot * slotBytes, Uint8Array.of(byte ^ 1));
  }
}

function listsOf(window: ReplayWindow, wanted: MoveList, least: number) {
  return [...movesOf(window)].filter(({ list, begin, end }) => list === wanted && end - begin >= least);
}
