/** Work of a point that grows with its tokens: done in place where it is short, else in a thread. */
import type { FilePlaces } from '../../../runner/job-spec/files.js';
import { offMainThread } from '../../../runner/job/off-main-thread.js';
import type { Verification } from '../../../runner/job/measurement.js';
import type { NativeMoeResults } from '../../../runner/native/types/index.js';
import { forwardingNodes } from '../bytes/nodes.js';
import { isHighThroughput, paddedHidden, tokensOfRank, type MoeSpec } from '../moe-spec.js';
import { verifyHighThroughput } from '../oracle/high-throughput.js';
import { verifyExchange } from '../oracle/oracle.js';
import { makeRouting, type Routing } from '../routing/routing.js';

export interface RouteRequest {
  readonly work: 'route';
  readonly spec: MoeSpec;
  readonly worldSize: number;
  readonly files: FilePlaces;
}

export interface VerifyRequest {
  readonly work: 'verify';
  readonly spec: MoeSpec;
  readonly routing: Routing;
  readonly rank: number;
  readonly nodeOfRank: readonly number[];
  readonly device: 'host' | 'cuda';
  readonly results: NativeMoeResults;
}

const routeHere = ({ spec, worldSize, files }: RouteRequest): Routing => makeRouting(spec, worldSize, files);

function verifyHere({ spec, routing, rank, nodeOfRank, device, results }: VerifyRequest): Verification[] {
  const expectation = { spec, routing, rank, nodes: forwardingNodes(spec, nodeOfRank, device) };
  return isHighThroughput(spec)
    ? verifyHighThroughput(expectation, results)
    : verifyExchange(expectation, results);
}

/** What the thread does with the one request that it was started for. */
export function answerInThread(request: RouteRequest | VerifyRequest): Routing | Verification[] {
  return request.work === 'route' ? routeHere(request) : verifyHere(request);
}

const THREAD = new URL('./main.js', import.meta.url);

/** Draws, and elements compared, that take no longer than a thread takes to start: about 50 ms. */
const MOST_WORDS_HERE = 2 ** 21;
const MOST_ELEMENTS_HERE = 2 ** 21;

export async function route(request: RouteRequest, signal: AbortSignal): Promise<Routing> {
  const { spec, worldSize } = request;
  let tokens = 0;
  for (let rank = 0; rank < worldSize; rank++) tokens += tokensOfRank(spec, rank);
  // How long a file takes is not known before it is read.
  const isShort = spec.routing.kind !== 'file' && tokens * spec.numExperts <= MOST_WORDS_HERE;
  return isShort ? routeHere(request) : await offMainThread<Routing>(THREAD, request, { signal });
}

/** Takes over the memory of the results: nobody else may use them afterwards. */
export async function verify(request: VerifyRequest, signal: AbortSignal): Promise<Verification[]> {
  const { results, spec } = request;
  const rows = results.sourceToken.length + results.rowToken.length + spec.maxDispatchTokensPerRank;
  if (rows * paddedHidden(spec) <= MOST_ELEMENTS_HERE) return verifyHere(request);
  const buffers = Object.values(results).flatMap((value) =>
    ArrayBuffer.isView(value) ? [value.buffer] : [],
  );
  const transfer = buffers.filter((buffer) => buffer instanceof ArrayBuffer);
  return await offMainThread<Verification[]>(THREAD, request, { signal, transfer });
}
