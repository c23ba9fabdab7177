#include "kv/cuda/copy_strategies.h"

namespace railrunner::cuda {

CopyStrategy copyStrategyOf(Strategy strategy) {
  switch (strategy) {
    case Strategy::kAuto:
      return CopyStrategy::kAuto;
    case Strategy::kMemcpy:
      return CopyStrategy::kMemcpy;
    case Strategy::kMemcpyBatch:
      return CopyStrategy::kMemcpyBatch;
    case Strategy::kKernel:
      return CopyStrategy::kKernel;
    case Strategy::kStaged:
      return CopyStrategy::kStaged;
    case Strategy::kStagedAndKernel:
      return CopyStrategy::kStagedAndKernel;
  }
  return CopyStrategy::kAuto;
}

Strategy strategyOf(CopyStrategy strategy) {
  switch (strategy) {
    case CopyStrategy::kAuto:
      return Strategy::kAuto;
    case CopyStrategy::kMemcpy:
      return Strategy::kMemcpy;
    case CopyStrategy::kMemcpyBatch:
      return Strategy::kMemcpyBatch;
    case CopyStrategy::kKernel:
      return Strategy::kKernel;
    case CopyStrategy::kStaged:
      return Strategy::kStaged;
    case CopyStrategy::kStagedAndKernel:
      return Strategy::kStagedAndKernel;
  }
  return Strategy::kAuto;
}

}  // namespace railrunner::cuda
