#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "binding/handle.h"
#include "binding/napi_setup.h"
#include "binding/shape.h"
#include "binding/typed_arrays.h"

namespace railrunner::binding {

// A value for JavaScript being made, or described (as arguments are: arguments.h): functions that write results set
// every key always.
class Result {
 public:
  Result(Napi::Env env, Shape& shape) : env_(env), shape_(&shape) {}
  // A description; kinds of handles that come up are added to `handles`.
  Result(Shape& shape, std::vector<const HandleKind*>& handles)
      : env_(nullptr), shape_(&shape), handles_(&handles) {}

  Napi::Value value() const { return value_; }

  // Scalars; null for an empty optional; an array for a vector.
  void put(bool value);
  void put(double value);
  void put(const std::string& value);
  void put(const char* value) { put(std::string(value)); }
  template <class T>
  requires std::is_arithmetic_v<T>
  void put(T value) { put(static_cast<double>(value)); }
  template <class T>
  void put(const std::optional<T>& value);
  template <class T>
  void put(const std::vector<T>& values);
  void putBuffer(const std::vector<uint8_t>& bytes);
  template <class T, class Write>
  void putArray(const T& values, Write write);
  // Makes this an object of that kind, to which further keys can be set.
  template <class State>
  void putHandle(const std::shared_ptr<State>& state);

  // Of an object.
  template <class T>
  void set(const char* name, const T& value) {
    setKey(name, [&](Result& key) { key.put(value); });
  }
  template <class T>
  void setTyped(const char* name, const std::vector<T>& values) {
    setKey(name, [&](Result& key) { key.putTyped(values); });
  }
  template <class T, class Write>
  void setObject(const char* name, const T& value, Write write) {
    setKey(name, [&](Result& key) { write(key, value); });
  }
  template <class T, class Write>
  void setArray(const char* name, const T& values, Write write) {
    setKey(name, [&](Result& key) { key.putArray(values, write); });
  }

  template <class T, class Write>
  void putOrNull(const std::optional<T>& value, Write write) {
    if (isDescription()) {
      write(*this, T{});
      shape_->isNullable = true;
    } else if (value.has_value()) {
      write(*this, *value);
    } else {
      putNull();
    }
  }
  bool isDescription() const { return handles_ != nullptr; }

 private:
  // A new value below this one.
  Result child(const char* name) const {
    if (isDescription()) return Result(shape_->add(name), *handles_);
    return Result(Napi::Env(env_), shape_->find(name));
  }
  void become(const char* type);
  void putNull();
  template <class Write>
  void setKey(const char* name, Write write);
  template <class T>
  void putTyped(const std::vector<T>& values);

  napi_env env_;
  Shape* shape_;
  std::vector<const HandleKind*>* handles_ = nullptr;
  Napi::Value value_;
};

template <class T>
void Result::put(const std::optional<T>& value) {
  putOrNull(value, [](Result& result, const T& known) { result.put(known); });
}

template <class T, class Write>
void Result::putArray(const T& values, Write write) {
  become("array");
  Result element = child("[]");
  if (isDescription()) return write(element, typename T::value_type{});
  Napi::Array array = Napi::Array::New(env_, values.size());
  uint32_t next = 0;
  for (const auto& value : values) {
    element.value_ = Napi::Value();
    write(element, value);
    array.Set(next++, element.value_);
  }
  value_ = array;
}

template <class T>
void Result::put(const std::vector<T>& values) {
  putArray(values, [](Result& element, const T& value) { element.put(value); });
}

template <class T>
void Result::putTyped(const std::vector<T>& values) {
  become(TypedArrayOf<T>::kName);
  if (isDescription()) return;
  auto array = Napi::TypedArrayOf<T>::New(env_, values.size(), TypedArrayOf<T>::kType);
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  value_ = array;
}

template <class Write>
void Result::setKey(const char* name, Write write) {
  if (isDescription() && shape_->type == "undefined") become("object");
  Result key = child(name);
  write(key);
  if (isDescription()) return;
  if (value_.IsEmpty()) value_ = Napi::Object::New(env_);
  value_.As<Napi::Object>().Set(name, key.value_);
}

template <class State>
void Result::putHandle(const std::shared_ptr<State>& state) {
  become(State::kKind.name);
  if (isDescription()) {
    handles_->push_back(&State::kKind);
  } else {
    value_ = makeHandle(env_, state);
  }
}

}  // namespace railrunner::binding
