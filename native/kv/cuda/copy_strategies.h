#pragma once

#include "kv/cuda/copy_schedule.h"
#include "kv/transfer.h"

// The strategies of any transfer, as copies between a GPU and host memory have them.
namespace railrunner::cuda {

CopyStrategy copyStrategyOf(Strategy strategy);
Strategy strategyOf(CopyStrategy strategy);

}  // namespace railrunner::cuda
