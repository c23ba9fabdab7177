#include "binding/errors.h"

#include <string>

#include "core/error.h"

namespace railrunner::binding {

Napi::Error toJsError(Napi::Env env, std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    Napi::Error result = Napi::Error::New(env, error.what());
    result.Set("code", Napi::String::New(env, std::string(errorCodeName(error.code()))));
    return result;
  } catch (const Napi::Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    Napi::Error result = Napi::Error::New(env, "native code ran out of memory");
    result.Set("code", Napi::String::New(env, std::string(errorCodeName(ErrorCode::kAllocation))));
    return result;
  } catch (const std::exception& error) {
    return Napi::Error::New(env, error.what());
  } catch (...) {
    return Napi::Error::New(env, "native code threw something that is not a std::exception");
  }
}

}  // namespace railrunner::binding
