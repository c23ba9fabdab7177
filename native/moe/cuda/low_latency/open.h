#pragma once

#include <memory>

#include "moe/bench.h"
#include "moe/cuda/low_latency/network_blocks.h"
#include "moe/peer_links.h"

// The cuda device's part of opening a point.
namespace railrunner::moe::cuda {

// Throws kUnsupportedHere where this device, or this build, cannot run the point.
void requireRunnable(const BenchOptions& options, Device& device);

// Of a point that requireRunnable accepts.
BufferMap mapOf(const BenchOptions& options);

// Slots of the network under which calls put and signal.
uint32_t networkSlots(const BenchOptions& options);

// The host memory through which peers over the network are reached.
std::shared_ptr<NetworkBlocks> makeNetworkBlocks(const BenchOptions& options, const NetworkRelation& relation,
                                                 uint32_t rank, Device& device);

// `blocks`: null where every peer shares memory.
std::unique_ptr<Bench> makeBench(const BenchOptions& options, Routing routing, RunControl& control,
                                 uint32_t rank, Device& device, std::shared_ptr<PeerLinks> links,
                                 std::shared_ptr<NetworkBlocks> blocks);

}  // namespace railrunner::moe::cuda
