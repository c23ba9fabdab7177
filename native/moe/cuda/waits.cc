#include "moe/cuda/waits.h"

#include <algorithm>

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
      case Missing::kPartials:
        return "the sums of its block " + index + " did not arrive";
      case Missing::kGathered:
        return "its tokens did not arrive";
      case Missing::kWrongTokens:
      case Missing::kWrongMessageCount:
      case Missing::kWrongCount:
      case Missing::kWrongPlace:
      case Missing::kWrongCopy:
      case Missing::kWrongCopies:
      case Missing::kWrongChoice:
      case Missing::kWrongLayout:
      case Missing::kNoRoom:
        break;  // no waits: describeRefusal()
    }
    return "a wait of kind " + std::to_string(control.missing) + " did not end";
  };
  return "rank " + std::to_string(control.rank) + ": " + missing();
}

std::string describeRefusal(const WaitControl& control, const Shape& shape) {
  const std::string index = std::to_string(control.index);
  const std::string tokens = std::to_string(shape.maxDispatchTokensPerRank);
  const auto said = [&](const std::string& what, const std::string& expected) {
    return "rank " + std::to_string(control.rank) + " sent " + what + " " + std::to_string(control.value) +
           ", expected " + expected;
  };
  switch (static_cast<Missing>(control.missing)) {
    case Missing::kWrongTokens:
      return said("a number of tokens of", "at most " + tokens);
    case Missing::kWrongMessageCount:
      return said("a message count of", "at most " + tokens);
    case Missing::kWrongCount:
      return said("a count for local expert " + index + " of", "at most " + tokens);
    case Missing::kWrongPlace:
      return said(
          "for its token " + index + " a place of",
          "one below " + std::to_string(shape.numLocalExperts() * uint64_t{shape.maxDispatchTokensPerRank}));
    case Missing::kWrongCopy:
      return said("for its token " + index + " a copy of", "one below " + tokens);
    case Missing::kWrongCopies:
      return said("for its token " + index + " a number of rows of",
                  "at most " + std::to_string(std::min(shape.numTopk, shape.numLocalExperts())));
    case Missing::kWrongChoice:
      return said("for its token " + index + " a choice of",
                  "a free row of an expert below " + std::to_string(shape.numExperts));
    case Missing::kWrongLayout:
      return said("the layout of dispatch", "the one that this rank uses again");
    default:
      return "a wait for " + describeWait(control, 0, shape.numLocalExperts()) + " ended by itself";
  }
}

}  // namespace railrunner::moe::cuda
