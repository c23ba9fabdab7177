#pragma once

#include <exception>

namespace railrunner {

// Runs a step; what it throws is returned for later, null where it throws nothing.
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
