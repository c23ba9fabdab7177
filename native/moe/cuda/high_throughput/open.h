#pragma once

#include <memory>
#include <vector>

#include "device/device.h"
#include "moe/bench.h"
#include "moe/cuda/high_throughput/staged_peers.h"
#include "moe/high_throughput/options.h"
#include "moe/peer_links.h"

// The high-throughput point on GPUs, as whoever opens it sees it.
namespace railrunner::moe::cuda::high_throughput {

// Throws kUnsupportedHere where the device, or this device's code, cannot run the point.
void requireRunnable(const BenchOptions& options, Device& device);

// Of the symmetric buffer of every rank. capacities: of all ranks, as agreed.
uint64_t symmetricBytes(const BenchOptions& options,
                        const std::vector<moe::high_throughput::Capacity>& capacities);

// Between this rank and peers that share no memory; the network's region is its memory. numProxies of the options are
// the slots of its network.
std::shared_ptr<StagedPeers> makeStagedPeers(const BenchOptions& options,
                                             const std::vector<moe::high_throughput::Capacity>& capacities,
                                             const NetworkRelation& relation, uint32_t rank, Device& device);

// staged: null where every peer shares memory.
std::unique_ptr<Bench> makeBench(const BenchOptions& options,
                                 const std::vector<moe::high_throughput::Capacity>& capacities,
                                 Routing routing, RunControl& control, uint32_t rank, Device& device,
                                 std::shared_ptr<PeerLinks> links, std::shared_ptr<StagedPeers> staged);

}  // namespace railrunner::moe::cuda::high_throughput
