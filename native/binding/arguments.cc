#include "binding/arguments.h"

#include <cmath>

#include "core/clock.h"

namespace railrunner::binding {

namespace {

bool isInteger(const Napi::Value& value, int64_t min, int64_t max) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  return number >= static_cast<double>(min) && number <= static_cast<double>(max) &&
         std::trunc(number) == number;
}

std::string textOf(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw argumentError(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

}  // namespace

Error argumentError(const char* name, const std::string& expected) {
  return Error(ErrorCode::kArgument, std::string("native argument `") + name + "`: expected " + expected);
}

Arguments::Slot Arguments::take(const char* name, const std::string& type) {
  if (isDescription()) {
    Shape& shape = shape_->add(name);
    shape.type = type;
    return {name, &shape, {}};
  }
  Shape& shape = shape_->find(name);
  return {name, &shape, info_ != nullptr ? (*info_)[next_++] : object_.Get(name)};
}

Arguments Arguments::objectOf(const Slot& slot) const {
  if (isDescription()) return Arguments(nullptr, *slot.shape);
  if (!slot.value.IsObject()) throw argumentError(slot.name, "an object");
  return Arguments(slot.value.As<Napi::Object>(), *slot.shape);
}

Napi::Array Arguments::arrayOf(const Slot& slot) const {
  if (isDescription()) return {};
  if (!slot.value.IsArray()) throw argumentError(slot.name, "an array");
  return slot.value.As<Napi::Array>();
}

int64_t Arguments::integerOf(const Napi::Value& value, const char* name, int64_t min, int64_t max) {
  if (!isInteger(value, min, max)) {
    throw argumentError(name, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return value.As<Napi::Number>().Int64Value();
}

std::string Arguments::text(const char* name) {
  const Slot slot = take(name, "string");
  return isDescription() ? "" : textOf(slot.value, name);
}

bool Arguments::boolean(const char* name) {
  const Slot slot = take(name, "boolean");
  if (isDescription()) return false;
  if (!slot.value.IsBoolean()) throw argumentError(name, "a boolean");
  return slot.value.As<Napi::Boolean>().Value();
}

int64_t Arguments::integer(const char* name, int64_t min, int64_t max) {
  const Slot slot = take(name, "number");
  return isDescription() ? min : integerOf(slot.value, name, min, max);
}

uint32_t Arguments::uint32(const char* name) { return static_cast<uint32_t>(integer(name, 0, UINT32_MAX)); }

uint64_t Arguments::size(const char* name) { return static_cast<uint64_t>(integer(name, 0, kMaxInteger)); }

int64_t Arguments::deadlineNs(const char* name) {
  return nowNs() + integer(name, 1, kMaxTimeoutMs) * 1'000'000;
}

std::optional<uint32_t> Arguments::uint32IfPresent(const char* name) {
  const Slot slot = take(name, "number");
  slot.shape->isOptional = true;
  if (isDescription() || slot.value.IsUndefined()) return std::nullopt;
  return static_cast<uint32_t>(integerOf(slot.value, name, 0, UINT32_MAX));
}

std::vector<std::vector<uint8_t>> Arguments::byteArrays(const char* name) {
  const Slot slot = take(name, "array");
  slot.shape->add("[]").type = TypedArrayOf<uint8_t>::kName;
  std::vector<std::vector<uint8_t>> all;
  const Napi::Array array = arrayOf(slot);
  for (uint32_t i = 0; !isDescription() && i < array.Length(); ++i) {
    all.push_back(typedOf<uint8_t>(array.Get(i), name));
  }
  return all;
}

std::vector<std::string> Arguments::texts(const char* name) {
  const Slot slot = take(name, "array");
  slot.shape->add("[]").type = "string";
  std::vector<std::string> all;
  const Napi::Array array = arrayOf(slot);
  for (uint32_t i = 0; !isDescription() && i < array.Length(); ++i) all.push_back(textOf(array.Get(i), name));
  return all;
}

std::vector<uint64_t> Arguments::sizes(const char* name) {
  const Slot slot = take(name, "array");
  slot.shape->add("[]").type = "number";
  std::vector<uint64_t> all;
  const Napi::Array array = arrayOf(slot);
  for (uint32_t i = 0; !isDescription() && i < array.Length(); ++i) {
    all.push_back(static_cast<uint64_t>(integerOf(array.Get(i), name, 0, kMaxInteger)));
  }
  return all;
}

Arguments Arguments::object(const char* name) { return objectOf(take(name, "object")); }

}  // namespace railrunner::binding
