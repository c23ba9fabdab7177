/** The limit of dispatch and combine: the time in which this machine moves just their bytes. docs/measuring.md has the why. */
import type { NativeMoeProbe } from '../../../runner/native/types/index.js';
import { sum } from '../../../runner/values/sum.js';
import { messageBytes, type IssuedBytes, type PeerPath, type Traffic } from './traffic.js';
import { paddedHidden, type MoeSpec } from '../moe-spec.js';

export interface Peak {
  readonly GBps: number;
  readonly source: string;
}

/** What the probe of same-node peers is called: GPUs store by a kernel of their own, hosts copy. */
const IPC_SOURCE = { host: 'peer copy', cuda: 'peer stores' } as const;

/** 1e9 bytes per second are 1000 bytes a microsecond. */
const BYTES_PER_US_AT_1_GBPS = 1000;

/**
 * No call is faster than the slower of its two paths: floor = max(ipc bytes / ipc rate, network bytes / network rate).
 * The peak is the payload over that floor, so that pct_of_peak is floor / time. Undefined where this rank sends
 * nothing to another one, or where a path that it uses was not probed.
 */
export function peakOf(
  payloadBytes: number,
  bytes: Pick<IssuedBytes, 'ipc' | 'network'>,
  rates: Pick<NativeMoeProbe, 'ipcGBps' | 'networkGBps'>,
  device: keyof typeof IPC_SOURCE = 'host',
): Peak | undefined {
  const paths = [
    { source: IPC_SOURCE[device], bytes: bytes.ipc, rate: rates.ipcGBps },
    { source: 'network stream', bytes: bytes.network, rate: rates.networkGBps },
  ].filter((path) => path.bytes > 0);
  const floorUs = Math.max(0, ...paths.map((path) => path.bytes / (path.rate * BYTES_PER_US_AT_1_GBPS)));
  if (!(payloadBytes > 0 && floorUs > 0 && floorUs < Infinity)) return undefined;
  return {
    GBps: payloadBytes / (floorUs * BYTES_PER_US_AT_1_GBPS),
    source: paths.map((path) => path.source).join(' + '),
  };
}

/**
 * Bytes to each rank for the probe: those of its path, shared out in proportion to the messages that go there (evenly
 * where none do: only signals). They add up to exactly the path's bytes.
 */
export function bytesToPeers(
  paths: readonly PeerPath[],
  issued: IssuedBytes,
  messages: readonly number[],
): Float64Array {
  const bytes = new Float64Array(paths.length);
  for (const path of ['ipc', 'network'] as const) {
    const peers = paths.flatMap((used, peer) => (used === path ? [peer] : []));
    const total = peers.reduce((sum, peer) => sum + (messages[peer] ?? 0), 0);
    let [left, weightLeft] = [issued[path], total > 0 ? total : peers.length];
    for (const peer of peers) {
      const weight = total > 0 ? (messages[peer] ?? 0) : 1;
      const share = weightLeft > 0 ? Math.floor((left * weight) / weightLeft) : 0;
      bytes[peer] = share;
      left -= share;
      weightLeft -= weight;
    }
  }
  return bytes;
}

/**
 * Memory that a call reads what it sends from: dispatch the tokens, once for all peers, and what is forwarded; combine
 * a row for each one.
 */
export function sourceBytes(
  spec: MoeSpec,
  traffic: Traffic,
  numTokens: number,
  operation: 'dispatch' | 'combine',
): number {
  if (operation === 'dispatch') return (numTokens + traffic.relayed) * messageBytes(spec);
  return sum(traffic.rowsFor) * 2 * paddedHidden(spec);
}
