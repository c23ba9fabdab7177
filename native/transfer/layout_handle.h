#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace railrunner {

// 128 bits that name a layout in the whole world: bits 0 to 63 the worker, 64 to 79 its layout, the rest zero. Worker
// ids are unique; a handle keeps them wherever it goes.
struct LayoutHandle {
  uint64_t workerId = 0;
  uint16_t layoutId = 0;

  uint64_t low() const { return workerId; }
  uint64_t high() const { return layoutId; }
  auto operator<=>(const LayoutHandle&) const = default;
  // "0x0000 0000000000000007": layout and worker, in hexadecimal.
  std::string text() const;
};

// Throws kArgument where a bit above the 80th is set.
LayoutHandle layoutHandleOf(uint64_t low, uint64_t high);

}  // namespace railrunner
