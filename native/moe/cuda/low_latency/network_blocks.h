#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "device/cuda/cuda_handles.h"
#include "moe/cuda/low_latency/kernels.h"
#include "moe/cuda/network_places.h"
#include "moe/rails.h"
#include "network/network.h"

namespace railrunner::moe::cuda {

// The host memory through which a GPU's exchange reaches peers that share none: a block in and a block out
// for each of them, as in buffer_map.h, and the rings of triggers. One region of the network, of the same
// size on every rank:
//
//   blocks that come, by source among the network's peers | blocks that go, by peer among them
//
// The kernels read and write it over PCIe; the network's proxies send from it and receive into it.
class NetworkBlocks {
 public:
  // Zeroed. Throws kCuda where pinned memory is refused. The device is current.
  NetworkBlocks(const BufferMap& map, const NetworkRelation& relation, uint32_t rank, uint32_t numProxies);

  void* memory() const { return memory_.as(); }
  uint64_t bytes() const { return bytes_; }
  // Where this rank's block (half 0) begins in that peer's memory.
  uint64_t incoming(uint32_t peer) const;
  std::span<const std::byte> going() const { return {memory_.as<std::byte>() + bytes_ / 2, bytes_ / 2}; }

  // Once the memory is `region` of the network: gives the rings to its proxies, and blocks and routes to the
  // kernels' arguments, which have those of peers that share memory. The blocks outlive the network.
  void connect(Network& network, uint32_t region, const Rails& rails, KernelArguments& arguments);

 private:
  const uint32_t rank_;
  const NetworkRelation relation_;
  const uint64_t pairBytes_;  // both halves of a block
  uint32_t most_ = 0;         // peers over the network of the rank that has most of them
  uint64_t bytes_ = 0;
  railrunner::cuda::Buffer memory_;
  std::vector<railrunner::cuda::Buffer> entries_;  // of a ring, then its tail: in host memory
  railrunner::cuda::Buffer heads_;  // where the kernels take tickets, and the tail as they saw it
  railrunner::cuda::Buffer path_;   // NetworkPath
};

}  // namespace railrunner::moe::cuda
