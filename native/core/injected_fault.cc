#include "core/injected_fault.h"

namespace railrunner {

const char* faultName(FaultKind kind) {
  switch (kind) {
    case FaultKind::kSilence:
      return "silence";
    case FaultKind::kCorrupt:
      return "corrupt";
    case FaultKind::kFailLoad:
      return "failLoad";
    case FaultKind::kDieInGroup:
      return "dieInGroup";
    case FaultKind::kSpinKernel:
      return "spinKernel";
    case FaultKind::kIllegalAccess:
      return "illegalAccess";
    case FaultKind::kWrongSplit:
      return "wrongSplit";
    case FaultKind::kLostPiece:
      return "lostPiece";
    case FaultKind::kTruncatedPiece:
      return "truncatedPiece";
    case FaultKind::kEarlyNotification:
      return "earlyNotification";
    case FaultKind::kEarlyDeviceNotification:
      return "earlyDeviceNotification";
  }
  return "";
}

}  // namespace railrunner
