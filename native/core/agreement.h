#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "core/exchange.h"

namespace railrunner {

// A step that failed on some rank, and every rank knows: each of them throws this, with the same code and words, at the
// same place of the collective call. So the catcher may continue with collective calls, to take down together what
// was set up together. Any other error leaves open where the other ranks are.
class AgreedError : public Error {
 public:
  using Error::Error;
};

// One step of a collective call: this rank's outcome is told to all. Either every rank gets all payloads, by rank, or
// every rank throws AgreedError with the code of the lowest rank that failed and the reasons of all that did. Where the
// ranks cannot be asked, throws what the exchange throws, or the rank's own failure where it has one.
class Agreement {
 public:
  using Bytes = std::vector<uint8_t>;

  // `step` names it in errors: "opening the network".
  Agreement(Exchange& exchange, const char* step, int64_t deadlineNs)
      : exchange_(exchange), step_(step), deadlineNs_(deadlineNs) {}

  // Runs `local`, which returns this rank's payload or nothing, and exchanges the outcome.
  template <class Local>
  std::vector<Bytes> run(Local&& local) {
    Bytes payload;
    try {
      if constexpr (std::is_void_v<decltype(local())>) {
        local();
      } else {
        payload = local();
      }
      requireTellable(payload);
    } catch (...) {
      return fail(std::current_exception());
    }
    return exchange({}, payload);
  }

 private:
  struct Failure {
    bool happened = false;
    ErrorCode code = ErrorCode::kState;
    std::string reason;
  };

  // Payloads have at most 16 MiB: what a rank cannot tell is its failure, which all agree on.
  static void requireTellable(const Bytes& payload);
  std::vector<Bytes> fail(const std::exception_ptr& failure);
  std::vector<Bytes> exchange(const Failure& own, const Bytes& payload);
  std::vector<Bytes> read(const std::vector<Bytes>& all) const;

  Exchange& exchange_;
  const char* step_;
  int64_t deadlineNs_;
};

// The bytes of a trivially copyable value, as a payload.
template <class Value>
std::vector<uint8_t> bytesOfValue(const Value& value) {
  static_assert(std::is_trivially_copyable_v<Value>);
  const auto* begin = reinterpret_cast<const uint8_t*>(&value);
  return {begin, begin + sizeof(value)};
}

}  // namespace railrunner
