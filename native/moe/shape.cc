#include "moe/shape.h"

#include <string>

#include "core/error.h"

namespace railrunner::moe {

namespace {

void require(bool holds, const char* rule, uint64_t received) {
  if (!holds) {
    throw Error(ErrorCode::kArgument,
                std::string("MoE shape: expected ") + rule + ", received " + std::to_string(received));
  }
}

}  // namespace

void requireLegal(const Shape& shape) {
  require(shape.worldSize >= 1 && shape.worldSize <= 4096, "worldSize in 1..4096", shape.worldSize);
  require(shape.numExperts >= 1 && shape.numExperts <= (1U << 16), "numExperts in 1..65536",
          shape.numExperts);
  require(shape.numExperts % shape.worldSize == 0, "numExperts divisible by worldSize", shape.numExperts);
  require(shape.numTopk >= 1 && shape.numTopk <= kMaxTopk, "numTopk in 1..32", shape.numTopk);
  require(shape.numTopk <= shape.numExperts, "numTopk at most numExperts", shape.numTopk);
  require(shape.hidden >= 1 && shape.hidden <= (1U << 16), "hidden in 1..65536", shape.hidden);
  require(shape.maxDispatchTokensPerRank >= 1 && shape.maxDispatchTokensPerRank <= (1U << 20),
          "maxDispatchTokensPerRank in 1..1048576", shape.maxDispatchTokensPerRank);
  // Row indices are 32-bit in layout ranges and source info.
  require(shape.resultRows() <= INT32_MAX, "at most 2^31 - 1 result rows", shape.resultRows());
  require(shape.dedup || shape.outputLayout == OutputLayout::kExpertMajor, "dedup with rankMajor outputs", 0);
}

}  // namespace railrunner::moe
