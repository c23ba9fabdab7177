#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "device/cuda/cuda_handles.h"

// Where the host memory that stands between a GPU and its peers over the network holds which peer.
namespace railrunner::moe::cuda {

// By rank, by peer: non-zero where the first sends to the second over the network. Symmetric.
using NetworkRelation = std::vector<std::vector<uint8_t>>;

// How many peers before `peer` the rank reaches over the network; with its number of ranks: all of them.
inline uint32_t networkPlaceOf(const NetworkRelation& relation, uint32_t rank, uint32_t peer) {
  const std::vector<uint8_t>& peers = relation[rank];
  return static_cast<uint32_t>(
      std::count_if(peers.begin(), peers.begin() + peer, [](uint8_t path) { return path != 0; }));
}

// Of the rank that reaches most of them so.
inline uint32_t mostNetworkPeers(const NetworkRelation& relation) {
  const auto worldSize = static_cast<uint32_t>(relation.size());
  uint32_t most = 0;
  for (uint32_t rank = 0; rank < worldSize; ++rank) {
    most = std::max(most, networkPlaceOf(relation, rank, worldSize));
  }
  return most;
}

// The address by which kernels reach pinned memory. Throws kCuda.
template <class T>
T* pinnedOnDevice(T* pinned) {
  void* mapped = nullptr;
  railrunner::cuda::check(cudaHostGetDevicePointer(&mapped, pinned, 0), "cudaHostGetDevicePointer");
  return static_cast<T*>(mapped);
}

}  // namespace railrunner::moe::cuda
