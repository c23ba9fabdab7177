#pragma once

#include <exception>

#include "binding/napi_setup.h"

namespace railrunner::binding {

// The JS Error of a native failure: message as it is, `code` from the catalogue for railrunner::Error.
Napi::Error toJsError(Napi::Env env, std::exception_ptr failure);

}  // namespace railrunner::binding
