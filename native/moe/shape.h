#pragma once

#include <cstdint>

#include "core/pattern.h"

// What all ranks agree on before the first exchange. Shared by host code and CUDA kernels.
namespace railrunner::moe {

constexpr uint32_t kMaxTopk = 32;  // a warp's lanes hold one choice each
constexpr uint32_t kScaleBlock =
    128;  // channels that share one fp8 scale; hidden is padded to a multiple of it

enum class DispatchDtype : uint32_t { kBf16 = 0, kFp8E4m3 = 1 };
enum class OutputLayout : uint32_t { kExpertMajor = 0, kRankMajor = 1 };

// Rank r hosts experts r * numLocalExperts .. (r + 1) * numLocalExperts - 1.
struct Shape {
  uint32_t worldSize = 0;
  uint32_t numExperts = 0;                // a multiple of worldSize
  uint32_t numTopk = 0;                   // 1..kMaxTopk, at most numExperts
  uint32_t hidden = 0;                    // elements per token as asked for
  uint32_t maxDispatchTokensPerRank = 0;  // bound of every rank's token count
  DispatchDtype payload = DispatchDtype::kBf16;
  bool roundScale = false;  // fp8 scales are powers of two
  bool dedup = true;        // a token crosses once a destination rank instead of once per expert
  OutputLayout outputLayout = OutputLayout::kExpertMajor;  // kRankMajor needs dedup
  bool zeroCopy = false;      // combine reads its input from the symmetric buffer's send half
  bool stageCombine = false;  // rows that combine sends over the network are staged in the send half (cuda)

  RAILRUNNER_HOST_DEVICE uint32_t numLocalExperts() const { return numExperts / worldSize; }
  RAILRUNNER_HOST_DEVICE uint32_t rankOfExpert(uint32_t expert) const { return expert / numLocalExperts(); }
  RAILRUNNER_HOST_DEVICE uint32_t paddedHidden() const {
    return (hidden + kScaleBlock - 1) / kScaleBlock * kScaleBlock;
  }
  RAILRUNNER_HOST_DEVICE uint32_t numScales() const { return paddedHidden() / kScaleBlock; }
  // Rows of one local expert's (or, rank-major, of the whole) receive area: every token of every rank may
  // come. Of a legal shape, whose rows fit in 31 bits.
  RAILRUNNER_HOST_DEVICE uint32_t maxReceivedTokens() const { return worldSize * maxDispatchTokensPerRank; }
  // Rows of a dispatch result: [numLocalExperts, worldSize * maxDispatchTokensPerRank] or [worldSize, maxDispatchTokensPerRank].
  RAILRUNNER_HOST_DEVICE uint64_t resultRows() const {
    const uint64_t rows =
        static_cast<uint64_t>(worldSize) * maxDispatchTokensPerRank;  // 64 bits: asked before it is legal
    return outputLayout == OutputLayout::kExpertMajor ? rows * numLocalExperts() : rows;
  }
  // Bytes of one token's elements in a dispatch result, without scales.
  RAILRUNNER_HOST_DEVICE uint64_t payloadRowBytes() const {
    return payload == DispatchDtype::kBf16 ? 2ULL * paddedHidden() : paddedHidden();
  }
  // Bytes of one bf16 row: an input token, an expert's output, a combine message.
  RAILRUNNER_HOST_DEVICE uint64_t bf16RowBytes() const { return 2ULL * paddedHidden(); }
};

// Throws kArgument where a shape breaks a rule above. The sentences for users are the job kind's; this guards
// memory.
void requireLegal(const Shape& shape);

}  // namespace railrunner::moe
