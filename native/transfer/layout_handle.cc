#include "transfer/layout_handle.h"

#include <cstdio>

#include "core/error.h"

namespace railrunner {

std::string LayoutHandle::text() const {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%04x %016llx", layoutId, static_cast<unsigned long long>(workerId));
  return text;
}

LayoutHandle layoutHandleOf(uint64_t low, uint64_t high) {
  if (high > UINT16_MAX) {
    throw Error(ErrorCode::kArgument, "layout handle: expected bits 80 to 127 to be zero, received " +
                                          std::to_string(high) + " above the worker id");
  }
  return {low, static_cast<uint16_t>(high)};
}

}  // namespace railrunner
