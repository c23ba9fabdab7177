#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "binding/napi_setup.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/sampler.h"

// Reading JS arguments: only type and range. Rules that a user can meet are TypeScript's; what fails here is
// a caller's bug and says which property of which call.
namespace railrunner::binding {

inline Error argumentError(const char* name, const char* expected) {
  return Error(ErrorCode::kArgument, std::string("native argument `") + name + "`: expected " + expected);
}

inline Napi::Object requireObject(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) throw argumentError(name, "an object");
  return value.As<Napi::Object>();
}

inline std::string requireString(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) throw argumentError(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

inline bool requireBoolean(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBoolean()) throw argumentError(name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

inline double requireNumber(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) throw argumentError(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

// Integers up to 2^53, the range that a JS number holds exactly.
inline int64_t requireInteger(const Napi::Value& value, const char* name, int64_t min, int64_t max) {
  const double number = requireNumber(value, name);
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) ||
      std::trunc(number) != number) {
    throw argumentError(name, "an integer in range");
  }
  return static_cast<int64_t>(number);
}

inline int64_t requireInteger(const Napi::Object& object, const char* name, int64_t min, int64_t max) {
  return requireInteger(object.Get(name), name, min, max);
}

inline uint32_t requireUint32(const Napi::Object& object, const char* name) {
  return static_cast<uint32_t>(requireInteger(object, name, 0, UINT32_MAX));
}

inline uint64_t requireSize(const Napi::Object& object, const char* name) {
  return static_cast<uint64_t>(requireInteger(object, name, 0, int64_t{1} << 53));
}

// A deadline (nowNs based) from milliseconds, of which a week is the most.
inline constexpr int64_t kMaxTimeoutMs = 7LL * 24 * 3600 * 1000;

inline int64_t requireDeadline(const Napi::Value& timeoutMs) {
  return nowNs() + requireInteger(timeoutMs, "timeoutMs", 1, kMaxTimeoutMs) * 1'000'000;
}

inline SampleProtocol requireProtocol(const Napi::Value& value) {
  const Napi::Object object = requireObject(value, "samples");
  return {requireUint32(object, "warmup"), requireUint32(object, "iterations"),
          requireBoolean(object, "freeRunning")};
}

// Calls `body` and turns a railrunner::Error into a thrown JS error with its code.
template <class Body>
Napi::Value guarded(const Napi::CallbackInfo& info, Body&& body);

}  // namespace railrunner::binding

#include "binding/errors.h"

namespace railrunner::binding {

template <class Body>
Napi::Value guarded(const Napi::CallbackInfo& info, Body&& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJsError(info.Env(), std::current_exception());
  }
}

}  // namespace railrunner::binding
