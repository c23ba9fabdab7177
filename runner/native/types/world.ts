/** The MPI world: the control plane of a run. */

export interface WorldOpenOptions {
  /** The plug-in's path: railrunner_mpi_openmpi.so or railrunner_mpi_mpich.so. */
  readonly pluginPath: string;
  /** Cuts a host's ranks into emulated nodes of this many; 0 = nodes are hosts. Rank 0's word holds for all. */
  readonly ranksPerNode: number;
  readonly timeoutMs: number;
  /** Silence after which a rank of this host counts as dead. */
  readonly peerTimeoutMs: number;
  /** The same of a rank of another host. */
  readonly remotePeerTimeoutMs: number;
}

export interface WorldInfo {
  readonly rank: number;
  readonly worldSize: number;
  /** Index of this rank's (possibly emulated) node, in order of the lowest rank of each. */
  readonly node: number;
  readonly numNodes: number;
  readonly localRank: number;
  readonly localSize: number;
  /** Index of the physical host (MPI_COMM_TYPE_SHARED), in order of the lowest rank of each, and place in it. */
  readonly host: number;
  readonly hostRank: number;
  readonly hostSize: number;
  /** node of every rank, by rank. */
  readonly nodeOfRank: readonly number[];
  readonly hostname: string;
  readonly mpiName: string;
  readonly mpiVersion: string;
}

/** What rank 0 knows of a rank from its heartbeats; on other ranks the list holds rank 0 and the rank itself. */
export interface RankLiveness {
  readonly rank: number;
  readonly stage: string;
  readonly point: number;
  /** Sample in flight, -1 outside a measured loop. */
  readonly iteration: number;
  /** Rank that this one waits for, -1 where none is known. */
  readonly awaitedPeer: number;
  /** Age of the newest heartbeat. */
  readonly ageMs: number;
}

export interface NativeWorld {
  readonly info: WorldInfo;
  /** Every rank passes null except root. Resolves to the root's bytes on all ranks. */
  broadcast(data: Uint8Array | null, root: number, timeoutMs: number): Promise<Buffer>;
  /** Any length on each rank; resolves to one Buffer per rank, by rank. */
  allgather(data: Uint8Array, timeoutMs: number): Promise<Buffer[]>;
  /** As allgather; other ranks than root resolve to null. */
  gather(data: Uint8Array, root: number, timeoutMs: number): Promise<Buffer[] | null>;
  /** data[peer] goes to that peer; resolves to what came from each, by rank. */
  alltoall(data: readonly Uint8Array[], timeoutMs: number): Promise<Buffer[]>;
  barrier(timeoutMs: number): Promise<void>;
  /**
   * Collective: a new epoch for everything that native worker threads exchange (sampling gate included), after a point
   * failed anywhere. No work may be running. What the failed point left in flight is never heard again.
   */
  renew(timeoutMs: number): Promise<void>;
  /**
   * This rank takes part in no further native exchange of this epoch: peers leave theirs, and all their native waits, at
   * once. No work may be running here.
   */
  failEpoch(): Promise<void>;
  /** Where this rank is, carried by its heartbeats. Returns at once. */
  report(stage: string, point: number): void;
  liveness(): RankLiveness[];
  /** The rank whose heartbeats stopped, or whose process ended, and so ended this world, -1 while there is none; known on every rank. */
  deadRank(): number;
  /** The process of `rank` was seen to be gone: the world ends as if its heartbeats had stopped. The first death stays. */
  noteDead(rank: number): void;
  /** This rank's stop word for the sampling gate: 0 none, 1 signal, 2 failure. Seen by all ranks at the next sample. */
  setStop(reason: number): void;
  /** Ends (true) or allows again (false) this rank's native waits. false also clears iteration and awaited peer. */
  setAbort(abort: boolean): void;
  /** MPI_Finalize, on the control thread. */
  finalize(timeoutMs: number): Promise<void>;
  /** MPI_Abort with 1..255. Does not return where MPI can. */
  abort(status: number): void;
}
