#include "moe/cuda/high_throughput/bench.h"

// Calls of a rank that has peers over the network: what goes there and comes from there, before the kernels that read it.
namespace railrunner::moe::cuda::high_throughput {

void CudaBench::stageTokens() {
  if (staged_ == nullptr) return;
  staged_->exchangeTokens(arguments_,
                          {arguments_.epoch, reuses() ? layoutEpoch_ : arguments_.epoch, !reuses(),
                           !ht_.reuseLayout, arguments_.seam.silent != 0},
                          stream_);
}

void CudaBench::stageSums() {
  staged_->exchangeSums(arguments_,
                        {arguments_.epoch, ht_.reuseLayout ? layoutEpoch_ : arguments_.epoch, false, false,
                         arguments_.seam.silent != 0},
                        plan_.blocks, stream_);
}

}  // namespace railrunner::moe::cuda::high_throughput
