#include "moe/token_batch.h"

#include <string>

#include "core/error.h"

namespace railrunner::moe {

namespace {

[[noreturn]] void refuse(uint32_t token, uint32_t choice, const std::string& fault) {
  throw Error(ErrorCode::kArgument, "routing: token " + std::to_string(token) + ", choice " +
                                        std::to_string(choice) + ": " + fault + ". Fix the routing table.");
}

}  // namespace

void requireLegal(const Shape& shape, const TokenBatch& batch) {
  if (batch.numTokens > shape.maxDispatchTokensPerRank) {
    throw Error(ErrorCode::kArgument,
                "routing: expected at most " + std::to_string(shape.maxDispatchTokensPerRank) +
                    " tokens (maxDispatchTokensPerRank), received " + std::to_string(batch.numTokens));
  }
  for (uint32_t token = 0; token < batch.numTokens; ++token) {
    const int32_t* ids = batch.topkIdx + static_cast<uint64_t>(token) * shape.numTopk;
    for (uint32_t k = 0; k < shape.numTopk; ++k) {
      if (ids[k] < -1 || ids[k] >= static_cast<int64_t>(shape.numExperts)) {
        refuse(token, k,
               "expected an expert in -1.." + std::to_string(shape.numExperts - 1) + ", received " +
                   std::to_string(ids[k]));
      }
      for (uint32_t j = 0; j < k; ++j) {
        if (ids[k] >= 0 && ids[j] == ids[k]) {
          refuse(token, k,
                 "expert " + std::to_string(ids[k]) + " was chosen already by choice " + std::to_string(j));
        }
      }
    }
  }
}

}  // namespace railrunner::moe
