#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "binding/handle.h"
#include "binding/napi_setup.h"
#include "binding/shape.h"
#include "binding/typed_arrays.h"
#include "core/error.h"
#include "core/sampler.h"

// Reading JS arguments: only type and range. Rules that a user can meet are TypeScript's; what fails here is
// a caller's bug and says which property of which call.
namespace railrunner::binding {

Error argumentError(const char* name, const std::string& expected);

// A deadline is given in milliseconds, of which a week is the most.
inline constexpr int64_t kMaxTimeoutMs = 7LL * 24 * 3600 * 1000;
// The largest integer that a JS number holds exactly.
inline constexpr int64_t kMaxInteger = int64_t{1} << 53;

// A value with its name in JavaScript.
template <class T>
using Choices = std::vector<std::pair<std::string, T>>;

// The choices of enumerators that have a name in C++.
template <class T, class Values, class NameOf>
Choices<T> namedChoices(const Values& values, NameOf nameOf) {
  Choices<T> choices;
  for (const T value : values) choices.push_back({nameOf(value), value});
  return choices;
}

// The keys of an object, or the arguments of a call in their order, each read by name.
//
// The same code reads values and describes what it reads: in a description there are no values, each call notes the
// type and returns some valid value. So no condition may stand around a reading but those of the functions below, and
// rules about values go through expect().
class Arguments {
 public:
  std::string text(const char* name);
  bool boolean(const char* name);
  // Integers up to 2^53.
  int64_t integer(const char* name, int64_t min, int64_t max);
  uint32_t uint32(const char* name);
  uint64_t size(const char* name);
  // nowNs based.
  int64_t deadlineNs(const char* name = "timeoutMs");
  std::optional<uint32_t> uint32IfPresent(const char* name);

  template <class T>
  T choice(const char* name, const Choices<T>& choices);
  // One of the choices, or a size.
  template <class T>
  std::variant<T, uint64_t> choiceOrSize(const char* name, const Choices<T>& choices);

  template <class State>
  std::shared_ptr<State> handle(const char* name);
  template <class State>
  std::shared_ptr<State> handleOrNull(const char* name);  // null for null

  // A copy of a typed array.
  template <class T>
  std::vector<T> typed(const char* name);
  template <class T>
  std::optional<std::vector<T>> typedOrNull(const char* name);
  std::vector<std::vector<uint8_t>> byteArrays(const char* name);
  std::vector<std::string> texts(const char* name);
  std::vector<uint64_t> sizes(const char* name);

  Arguments object(const char* name);
  // `read` makes something of an object's keys.
  template <class Read>
  auto objectOrNull(const char* name, Read read) -> std::optional<decltype(read(std::declval<Arguments&>()))>;
  template <class Read>
  auto objectIfPresent(const char* name, Read read)
      -> std::optional<decltype(read(std::declval<Arguments&>()))>;
  // Of an array of objects.
  template <class Read>
  auto objects(const char* name, Read read) -> std::vector<decltype(read(std::declval<Arguments&>()))>;

  // A rule about values that were read; a description knows none.
  void expect(bool holds, const char* name, const char* expected) const {
    if (!holds && !isDescription()) throw argumentError(name, expected);
  }
  bool isDescription() const { return isDescription_; }

 protected:
  Arguments(const Napi::CallbackInfo* info, Shape& shape)
      : info_(info), shape_(&shape), isDescription_(info == nullptr) {}

 private:
  struct Slot {
    const char* name;
    Shape* shape;
    Napi::Value value;  // empty in a description
  };

  Arguments(Napi::Object object, Shape& shape) : object_(object), shape_(&shape) {}

  // The value of that name: the next argument of a call, or the key of an object.
  Slot take(const char* name, const std::string& type);
  Arguments objectOf(const Slot& slot) const;
  Napi::Array arrayOf(const Slot& slot) const;
  static int64_t integerOf(const Napi::Value& value, const char* name, int64_t min, int64_t max);
  template <class T>
  static std::vector<T> typedOf(const Napi::Value& value, const char* name);

  const Napi::CallbackInfo* info_ = nullptr;
  uint32_t next_ = 0;
  Napi::Object object_;
  Shape* shape_;
  bool isDescription_ = false;
};

// "'read' | 'write'"
template <class T>
std::string choiceType(const Choices<T>& choices) {
  std::string type;
  for (const auto& [name, value] : choices) type += (type.empty() ? "'" : " | '") + name + "'";
  return type;
}

template <class T>
T choiceOf(const Napi::Value& value, const char* name, const Choices<T>& choices,
           const std::string& expected) {
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    for (const auto& [known, meant] : choices) {
      if (known == text) return meant;
    }
  }
  throw argumentError(name, expected);
}

template <class T>
T Arguments::choice(const char* name, const Choices<T>& choices) {
  const std::string type = choiceType(choices);
  const Slot slot = take(name, type);
  if (isDescription()) return choices.front().second;
  return choiceOf(slot.value, name, choices, type);
}

template <class T>
std::variant<T, uint64_t> Arguments::choiceOrSize(const char* name, const Choices<T>& choices) {
  const std::string type = choiceType(choices) + " | number";
  const Slot slot = take(name, type);
  if (isDescription()) return choices.front().second;
  if (slot.value.IsNumber()) return static_cast<uint64_t>(integerOf(slot.value, name, 0, kMaxInteger));
  return choiceOf(slot.value, name, choices, type);
}

template <class State>
std::shared_ptr<State> Arguments::handle(const char* name) {
  const Slot slot = take(name, State::kKind.name);
  return isDescription() ? nullptr : stateOf<State>(slot.value, name);
}

template <class State>
std::shared_ptr<State> Arguments::handleOrNull(const char* name) {
  const Slot slot = take(name, State::kKind.name);
  slot.shape->isNullable = true;
  return isDescription() || slot.value.IsNull() ? nullptr : stateOf<State>(slot.value, name);
}

template <class T>
std::vector<T> Arguments::typedOf(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != TypedArrayOf<T>::kType) {
    throw argumentError(name, TypedArrayOf<T>::kName);
  }
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

template <class T>
std::vector<T> Arguments::typed(const char* name) {
  const Slot slot = take(name, TypedArrayOf<T>::kName);
  return isDescription() ? std::vector<T>() : typedOf<T>(slot.value, name);
}

template <class T>
std::optional<std::vector<T>> Arguments::typedOrNull(const char* name) {
  const Slot slot = take(name, TypedArrayOf<T>::kName);
  slot.shape->isNullable = true;
  if (isDescription() || slot.value.IsNull()) return std::nullopt;
  return typedOf<T>(slot.value, name);
}

template <class Read>
auto Arguments::objectOrNull(const char* name, Read read)
    -> std::optional<decltype(read(std::declval<Arguments&>()))> {
  const Slot slot = take(name, "object");
  slot.shape->isNullable = true;
  if (!isDescription() && slot.value.IsNull()) return std::nullopt;
  Arguments object = objectOf(slot);
  return read(object);
}

template <class Read>
auto Arguments::objectIfPresent(const char* name, Read read)
    -> std::optional<decltype(read(std::declval<Arguments&>()))> {
  const Slot slot = take(name, "object");
  slot.shape->isOptional = true;
  if (!isDescription() && slot.value.IsUndefined()) return std::nullopt;
  Arguments object = objectOf(slot);
  return read(object);
}

template <class Read>
auto Arguments::objects(const char* name, Read read)
    -> std::vector<decltype(read(std::declval<Arguments&>()))> {
  std::vector<decltype(read(std::declval<Arguments&>()))> all;
  const Slot slot = take(name, "array");
  Slot element{name, &slot.shape->add("[]"), {}};
  element.shape->type = "object";
  const Napi::Array array = arrayOf(slot);
  const uint32_t length = isDescription() ? 1 : array.Length();
  for (uint32_t i = 0; i < length; ++i) {
    if (!isDescription()) element.value = array.Get(i);
    Arguments object = objectOf(element);
    all.push_back(read(object));
  }
  return all;
}

inline SampleProtocol readProtocol(Arguments object) {
  SampleProtocol protocol;
  protocol.warmup = object.uint32("warmup");
  protocol.iterations = object.uint32("iterations");
  protocol.freeRunning = object.boolean("freeRunning");
  return protocol;
}

}  // namespace railrunner::binding
