#pragma once

#include <initializer_list>
#include <memory>

#include "binding/arguments.h"
#include "binding/napi_setup.h"
#include "core/error.h"

// JS objects that stand for native state: a wrapped pointer with a type tag, so that an object of another
// kind is refused and never reinterpreted.
namespace railrunner::binding {

// One per kind of handle; `tag` must be unique in the addon.
template <class State>
struct HandleKind {
  napi_type_tag tag;
  const char* name;  // for messages: "a NativePool"
};

// Makes `object` stand for `state`; the state lives as long as the object, or until close() resets it.
template <class State>
void attachState(Napi::Env env, Napi::Object object, std::shared_ptr<State> state,
                 const HandleKind<State>& kind) {
  auto* held = new std::shared_ptr<State>(std::move(state));
  const auto release = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<State>*>(data); };
  if (napi_wrap(env, object, held, release, nullptr, nullptr) != napi_ok ||
      napi_type_tag_object(env, object, &kind.tag) != napi_ok) {
    throw Napi::Error::New(env, "a native handle could not be made");
  }
}

struct HandleMethod {
  const char* name;
  Napi::Value (*call)(const Napi::CallbackInfo&);
};

// An object with these methods that stands for `state`.
template <class State>
Napi::Object makeHandle(Napi::Env env, const std::shared_ptr<State>& state, const HandleKind<State>& kind,
                        std::initializer_list<HandleMethod> methods) {
  Napi::Object object = Napi::Object::New(env);
  for (const HandleMethod& method : methods) {
    object.Set(method.name, Napi::Function::New(env, method.call, method.name));
  }
  attachState(env, object, state, kind);
  return object;
}

template <class State>
std::shared_ptr<State> requireState(const Napi::Value& value, const char* name,
                                    const HandleKind<State>& kind) {
  bool matches = false;
  if (!value.IsObject() || napi_check_object_type_tag(value.Env(), value, &kind.tag, &matches) != napi_ok ||
      !matches) {
    throw argumentError(name, kind.name);
  }
  void* held = nullptr;
  if (napi_unwrap(value.Env(), value, &held) != napi_ok) throw argumentError(name, kind.name);
  return *static_cast<std::shared_ptr<State>*>(held);
}

}  // namespace railrunner::binding
