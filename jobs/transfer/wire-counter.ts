/**
 * Bytes that left this host, by counters of the kernel: outside the program, so that they can contradict it. They count
 * for the whole host (network namespace), headers and the control plane included.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeAddon } from '../../runner/native/types/index.js';

export interface WireCount {
  /** As column wire_source says it. */
  readonly source: string;
  readonly sentBytes: number;
}

const PROC_NET_DEV = '/proc/net/dev';
const INFINIBAND = '/sys/class/infiniband';
/** port_xmit_data counts words of four bytes (kernel: Documentation/ABI/stable/sysfs-class-infiniband). */
const PORT_WORD_BYTES = 4;
/** Transports of UCX that pass the kernel by, so that its interfaces count nothing. */
const RDMA = /\b(rc|ud|dc)(_|\b)/;

/** Null where there is no such counter. `transport`: as UCX names it. `infiniband`: another tree in tests. */
export function readWireCounter(transport: string, infiniband = INFINIBAND): WireCount | null {
  try {
    return RDMA.test(transport)
      ? { source: 'port_xmit_data', sentBytes: infinibandBytes(infiniband) }
      : { source: PROC_NET_DEV, sentBytes: interfaceBytes(readFileSync(PROC_NET_DEV, 'utf8')) };
  } catch {
    return null;
  }
}

/** Of this rank's GPU, over all its links; null where the driver does not count. */
export async function readNvlinkCounter(addon: NativeAddon, uuid: string): Promise<WireCount | null> {
  const report = await addon.describeGpus();
  const sentBytes = report?.gpus.find((gpu) => gpu.uuid === uuid)?.state.nvlinkSentBytes ?? null;
  return sentBytes === null ? null : { source: 'nvml nvlink data tx', sentBytes };
}

/** Sent bytes of all interfaces: the ninth number behind the name. */
function interfaceBytes(text: string): number {
  const lines = text.split('\n').filter((line) => line.includes(':'));
  return lines.reduce((sum, line) => {
    const fields = line
      .slice(line.indexOf(':') + 1)
      .trim()
      .split(/\s+/u);
    return sum + Number(fields[8] ?? 0);
  }, 0);
}

function infinibandBytes(root: string): number {
  let words = 0;
  for (const device of readdirSync(root)) {
    const ports = join(root, device, 'ports');
    for (const port of readdirSync(ports)) {
      words += Number(readFileSync(join(ports, port, 'counters', 'port_xmit_data'), 'utf8'));
    }
  }
  return words * PORT_WORD_BYTES;
}
