#pragma once

#include <memory>

#include "moe/bench.h"

namespace railrunner::moe::high_throughput {

// As moe::openBench, for options with highThroughput.
std::unique_ptr<Bench> openBench(Exchange& exchange, Device& device, RunControl& control,
                                 const BenchOptions& options, Routing routing, int64_t deadlineNs);

}  // namespace railrunner::moe::high_throughput
