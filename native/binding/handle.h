#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "binding/napi_setup.h"
#include "core/error.h"

// JS objects that stand for native state: a wrapped pointer with a type tag, so that an object of another
// kind is refused and never reinterpreted.
namespace railrunner::binding {

class Call;

// A function of the addon or of a handle. Tables of methods are constants: functions refer to their entries.
struct Method {
  const char* name;
  void (*run)(Call& call);
};

// One per type of state, as its static member kKind.
struct HandleKind {
  napi_type_tag tag;  // unique in the addon
  const char* name;   // of the TypeScript type: "NativePool"
  std::span<const Method> methods;
};

void setMethods(Napi::Env env, Napi::Object object, std::span<const Method> methods);

// `value` as an object of that kind, or null.
void* stateBehind(const Napi::Value& value, const HandleKind& kind);
// Makes an object of that kind; `release` ends `state`, which it takes.
Napi::Object makeObject(Napi::Env env, const HandleKind& kind, void* state, napi_finalize release);

// Throws kArgument for anything but a handle of State.
template <class State>
std::shared_ptr<State> stateOf(const Napi::Value& value, const char* name) {
  void* state = stateBehind(value, State::kKind);
  if (state == nullptr) {
    throw Error(ErrorCode::kArgument,
                std::string("native argument `") + name + "`: expected a " + State::kKind.name);
  }
  return *static_cast<std::shared_ptr<State>*>(state);
}

// An object that stands for `state`, which lives as long as the object.
template <class State>
Napi::Object makeHandle(Napi::Env env, std::shared_ptr<State> state) {
  const auto release = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<State>*>(data); };
  return makeObject(env, State::kKind, new std::shared_ptr<State>(std::move(state)), release);
}

}  // namespace railrunner::binding
