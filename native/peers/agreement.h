#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "core/exchange.h"

namespace railrunner {

// One step that every rank must have managed before any goes on: each tells all whether it could (`failure`
// null) and hands over `payload`. Returns every rank's payload, by rank. Where any rank could not, throws on
// every rank: the own failure where there is one, else kState naming the ranks and their reasons. Collective.
std::vector<std::vector<uint8_t>> agreeOn(Exchange& exchange, const char* step, std::exception_ptr failure,
                                          std::span<const uint8_t> payload, int64_t deadlineNs);

// Runs one rank's part of a step; what it throws is kept for the agreement.
template <class Step>
std::exception_ptr attempt(Step&& step) {
  try {
    step();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace railrunner
