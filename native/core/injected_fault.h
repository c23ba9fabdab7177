#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace railrunner {

// What a test asks an operation to do wrong, so that the alarms are heard. An operation commits those that it knows.
enum class FaultKind : uint32_t {
  kSilence,        // sends nothing to its peers
  kCorrupt,        // one bit of a message to each peer is wrong
  kFailLoad,       // a load throws kIo
  kDieInGroup,     // this process ends while blocks are handed on
  kSpinKernel,     // a kernel that only the abort word ends
  kIllegalAccess,  // a kernel that writes where nothing is mapped
  // Of a transfer between ranks, in its last sample.
  kWrongSplit,              // heads of another place
  kLostPiece,               // a piece that is not copied
  kTruncatedPiece,          // a piece without its end
  kEarlyNotification,       // its arrival is told before the bytes are there
  kEarlyDeviceNotification  // the same to kernels alone; CPUs hear behind the bytes
};
inline constexpr FaultKind kFaultKinds[] = {FaultKind::kSilence,
                                            FaultKind::kCorrupt,
                                            FaultKind::kFailLoad,
                                            FaultKind::kDieInGroup,
                                            FaultKind::kSpinKernel,
                                            FaultKind::kIllegalAccess,
                                            FaultKind::kWrongSplit,
                                            FaultKind::kLostPiece,
                                            FaultKind::kTruncatedPiece,
                                            FaultKind::kEarlyNotification,
                                            FaultKind::kEarlyDeviceNotification};
const char* faultName(FaultKind kind);

struct InjectedFault {
  FaultKind kind;
  uint32_t at = 0;  // iteration or call, as the operation counts them
};

class InjectedFaults {
 public:
  InjectedFaults() = default;
  InjectedFaults(std::initializer_list<InjectedFault> faults) : faults_(faults) {}
  void add(const InjectedFault& fault) { faults_.push_back(fault); }

  // When it strikes; nothing where it was not injected.
  std::optional<uint32_t> at(FaultKind kind) const {
    for (const InjectedFault& fault : faults_) {
      if (fault.kind == kind) return fault.at;
    }
    return std::nullopt;
  }
  bool has(FaultKind kind) const { return at(kind).has_value(); }
  bool strikes(FaultKind kind, int64_t iteration) const {
    const std::optional<uint32_t> when = at(kind);
    return when.has_value() && int64_t{*when} == iteration;
  }

 private:
  std::vector<InjectedFault> faults_;
};

}  // namespace railrunner
