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
  }
  return "";
}

}  // namespace railrunner
