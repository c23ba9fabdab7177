/** The network between nodes, as a probe sees it. */

/** What this process could use for peers that share no memory with it, without connecting anything. */
export interface NetworkProbe {
  readonly available: boolean;
  /** Of the UCX library that loads; '' without one. */
  readonly version: string;
  /** As UCX names them, for example "tcp/eth0", "rc_mlx5/mlx5_0:1". */
  readonly transports: readonly string[];
  /** UCX can send from and into GPU memory. */
  readonly cudaMemory: boolean;
  /** Why there is none; '' where there is. */
  readonly reason: string;
}
