#include "moe/cuda/waits.h"

namespace railrunner::moe::cuda {

std::string describeWait(const WaitControl& control, uint32_t rank, uint32_t numLocalExperts) {
  const std::string index = std::to_string(control.index);
  const auto missing = [&]() -> std::string {
    switch (static_cast<Missing>(control.missing)) {
      case Missing::kCount:
        return "the count of its local expert " + index + " (expert " +
               std::to_string(rank * numLocalExperts + control.index) + ") did not arrive";
      case Missing::kMessageCount:
        return "its message count did not arrive";
      case Missing::kRecord:
        return "the record of its token " + index + " did not arrive";
      case Missing::kRow:
        return "the row of its token " + index + " did not arrive";
      case Missing::kCombinedRow:
        return "the combined row of token " + index + " did not arrive";
      case Missing::kBegun:
        return "its begin of the call did not arrive";
      case Missing::kRoom:
        return "the network did not take what goes to it";
      case Missing::kBarrier:
        return "it did not come to the barrier before the call";
    }
    return "a wait of kind " + std::to_string(control.missing) + " did not end";
  };
  return "rank " + std::to_string(control.rank) + ": " + missing();
}

}  // namespace railrunner::moe::cuda
