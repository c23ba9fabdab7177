#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "device/cuda/cuda_handles.h"
#include "moe/cuda/probe_kernels.h"
#include "moe/cuda/timed_graph.h"
#include "moe/point_probe.h"

namespace railrunner::moe::cuda {

// Where the probe of one rank stores to and what it must find afterwards; payloads alone, never words or
// flags. All by rank; the own entry and that of peers which no store reaches are null.
struct StorePlace {
  uint32_t rank = 0;
  std::vector<std::byte*> to;          // this rank's share at that peer
  std::vector<const std::byte*> from;  // that rank's share here
  uint64_t shareBytes = 0;             // multiple of kPieceGrain
};

// The limit next to dispatch and combine on GPUs: all of them at once store the bytes of one call from private
// memory straight into that of the same peers, in whole runs. A sample is a replayed graph of kernels back to
// back, so that a kernel's start and end count and its launch does not. Several sizes of pieces are tried;
// the best is the limit.
class PeerStores {
 public:
  // Of the current device. sourceBytes: of the private memory.
  PeerStores(StorePlace place, uint64_t sourceBytes, RunControl& control);

  // Collective over the gate. bytes: [source][target]. `salt` counts on from call to call, on all ranks
  // alike: what an earlier probe left must not pass for this one's. Throws kWrongData where what came is not
  // what was stored.
  PathRate run(const std::vector<std::vector<uint64_t>>& bytes, GateRef gate, uint32_t repeats,
               uint32_t& salt);

 private:
  friend struct StoreSamples;

  void prepare(const std::vector<std::vector<uint64_t>>& bytes, uint32_t wantedPieceBytes, uint32_t salt);
  double storeUs();
  void requireArrived();
  void finish();

  const StorePlace place_;
  RunControl& control_;
  railrunner::cuda::Stream stream_;
  railrunner::cuda::Event done_;
  railrunner::cuda::Buffer source_;
  railrunner::cuda::Buffer wrong_;
  uint32_t processors_ = 0;
  uint32_t callsOfGraph_ = 1;
  ArrivedShares arrived_{};
  std::unique_ptr<TimedGraph> graph_;  // null where this rank stores nothing
};

// Collective: all agree on the bytes of the point's request and store them. salt: as PeerStores::run.
PathRate probeStores(const ProbedPoint& point, const StorePlace& place, uint32_t& salt);

}  // namespace railrunner::moe::cuda
