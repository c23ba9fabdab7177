#include "binding/result.h"

namespace railrunner::binding {

void Result::become(const char* type) {
  if (isDescription()) shape_->type = type;
}

void Result::putNull() { value_ = Napi::Env(env_).Null(); }

void Result::put(bool value) {
  become("boolean");
  if (!isDescription()) value_ = Napi::Boolean::New(env_, value);
}

void Result::put(double value) {
  become("number");
  if (!isDescription()) value_ = Napi::Number::New(env_, value);
}

void Result::put(const std::string& value) {
  become("string");
  if (!isDescription()) value_ = Napi::String::New(env_, value);
}

void Result::putBuffer(const std::vector<uint8_t>& bytes) {
  become("Buffer");
  if (!isDescription()) value_ = Napi::Buffer<uint8_t>::Copy(env_, bytes.data(), bytes.size());
}

}  // namespace railrunner::binding
