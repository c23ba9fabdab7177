#include "peers/agreement.h"

#include <algorithm>

#include "core/error.h"

namespace railrunner {

namespace {

std::string reasonOf(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown failure";
  }
}

}  // namespace

std::vector<std::vector<uint8_t>> agreeOn(Exchange& exchange, const char* step, std::exception_ptr failure,
                                          std::span<const uint8_t> payload, int64_t deadlineNs) {
  // First byte: 1 = could. Then the payload, or the reason.
  std::vector<uint8_t> mine{failure == nullptr ? uint8_t{1} : uint8_t{0}};
  if (failure == nullptr) {
    mine.insert(mine.end(), payload.begin(), payload.end());
  } else {
    const std::string reason = reasonOf(failure);
    mine.insert(mine.end(), reason.begin(), reason.end());
  }
  std::vector<std::vector<uint8_t>> all = exchange.allgather(mine, deadlineNs);
  std::string reasons;
  for (uint32_t rank = 0; rank < exchange.worldSize(); ++rank) {
    if (rank < all.size() && !all[rank].empty() && all[rank][0] == 1) continue;
    reasons += (reasons.empty() ? "rank " : "; rank ") + std::to_string(rank) + ": ";
    if (rank < all.size() && !all[rank].empty()) {
      const size_t shown = std::min<size_t>(all[rank].size() - 1, 400);
      reasons.append(reinterpret_cast<const char*>(all[rank].data()) + 1, shown);
    } else {
      reasons += "said nothing";
    }
  }
  if (failure != nullptr) std::rethrow_exception(failure);
  if (!reasons.empty()) throw Error(ErrorCode::kState, std::string(step) + " failed on " + reasons);
  for (std::vector<uint8_t>& bytes : all) bytes.erase(bytes.begin());
  return all;
}

}  // namespace railrunner
