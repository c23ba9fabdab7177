#include "binding/call.h"

#include <map>

#include "binding/errors.h"

namespace railrunner::binding {

namespace {

// Main thread only, as all of Node-API.
MethodShape& shapeOf(const Method& method) {
  static auto* shapes = new std::map<const Method*, MethodShape>();
  const auto found = shapes->find(&method);
  if (found != shapes->end()) return found->second;
  std::vector<const HandleKind*> handles;
  return shapes->emplace(&method, describe(method, handles)).first->second;
}

Napi::Value invoke(const Napi::CallbackInfo& info) {
  try {
    const auto& method = *static_cast<const Method*>(info.Data());
    Call call(info, shapeOf(method));
    method.run(call);
    return call.value().IsEmpty() ? info.Env().Undefined() : call.value();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJsError(info.Env(), std::current_exception());
  }
}

}  // namespace

MethodShape describe(const Method& method, std::vector<const HandleKind*>& handles) {
  MethodShape shape;
  Call call(shape, handles);
  method.run(call);
  return shape;
}

void setMethods(Napi::Env env, Napi::Object object, std::span<const Method> methods) {
  for (const Method& method : methods) {
    object.Set(method.name, Napi::Function::New(env, invoke, method.name, const_cast<Method*>(&method)));
  }
}

void* stateBehind(const Napi::Value& value, const HandleKind& kind) {
  bool matches = false;
  void* state = nullptr;
  if (!value.IsObject() || napi_check_object_type_tag(value.Env(), value, &kind.tag, &matches) != napi_ok ||
      !matches || napi_unwrap(value.Env(), value, &state) != napi_ok) {
    return nullptr;
  }
  return state;
}

Napi::Object makeObject(Napi::Env env, const HandleKind& kind, void* state, napi_finalize release) {
  Napi::Object object = Napi::Object::New(env);
  setMethods(env, object, kind.methods);
  if (napi_wrap(env, object, state, release, nullptr, nullptr) != napi_ok ||
      napi_type_tag_object(env, object, &kind.tag) != napi_ok) {
    throw Napi::Error::New(env, "a native handle could not be made");
  }
  return object;
}

}  // namespace railrunner::binding
