#pragma once

#include <cstdint>
#include <cstring>

#include "moe/payload.h"

namespace railrunner::moe::host {

// Columns 0..hidden-1 of one token (payload.h); what lies behind them stays.
inline void fillTokenRow(uint16_t* row, uint32_t hidden, uint32_t base) {
  for (uint32_t pair = 0; pair < hidden / 2; ++pair) {
    const uint32_t two = payloadPair(base, pair);
    std::memcpy(row + 2ULL * pair, &two, 4);
  }
  if (hidden % 2 != 0) row[hidden - 1] = static_cast<uint16_t>(payloadPair(base, hidden / 2) & 0xffffU);
}

}  // namespace railrunner::moe::host
