#include "moe/high_throughput/options.h"

#include "core/error.h"

namespace railrunner::moe::high_throughput {

namespace {

void require(bool holds, const char* rule, const std::string& received) {
  if (holds) return;
  throw Error(ErrorCode::kArgument,
              std::string("high throughput: expected ") + rule + ", received " + received);
}

}  // namespace

void requireLegal(const Shape& shape, const Options& options) {
  railrunner::moe::requireLegal(shape);
  require(shape.dedup, "a token to cross once for each rank (dedup)", "dedup off");
  require(!shape.zeroCopy, "no zeroCopy", "zeroCopy");
  require(options.expertAlignment >= 1 && options.expertAlignment <= kMaxExpertAlignment,
          "expertAlignment in 1..1024", std::to_string(options.expertAlignment));
  require((options.receive == Receive::kFixed) == (options.fixedRows != 0),
          "rows where the receive memory is fixed, and only there", std::to_string(options.fixedRows));
  const uint64_t rows = worstCaseCapacity(shape, options).rows;
  require(rows <= INT32_MAX, "at most 2^31 - 1 expert rows on a rank", std::to_string(rows));
}

std::string overflowSentence(uint32_t rank, const ReceiveNeed& need, const Capacity& capacity) {
  return "dispatch: rank " + std::to_string(rank) + " would receive " + std::to_string(need.rows) +
         " expert rows of " + std::to_string(need.tokens) + " tokens, expected at most " +
         std::to_string(capacity.rows) + " rows of " + std::to_string(capacity.tokens) +
         " tokens: nothing was written. Raise receiveRows, or set it to exact or worstCase";
}

}  // namespace railrunner::moe::high_throughput
