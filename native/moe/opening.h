#pragma once

#include <memory>

#include "core/exchange.h"
#include "moe/bench.h"
#include "network/network.h"

// What opening a point shares, whatever the algorithm.
namespace railrunner::moe {

// Throws kArgument where shape, peer paths and routing do not go together.
void requireLegal(const BenchOptions& options, const Routing& routing, uint32_t rank, uint32_t worldSize);

// [from][to]: non-zero over the network.
bool anyOverNetwork(const std::vector<std::vector<uint8_t>>& relation);

// Collective. `numSlots`: of the exchange; the probe gets its own behind them.
std::unique_ptr<Network> openNetwork(Exchange& exchange, RunControl& control, const BenchOptions& options,
                                     uint32_t numSlots, int64_t deadlineNs);

}  // namespace railrunner::moe
