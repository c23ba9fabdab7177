#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/result.h"
#include "binding/shape.h"
#include "binding/worker_thread.h"

namespace railrunner::binding {

// What a method says of itself, by running without values: once, when it is called first. The handles that it makes
// are added to `handles`.
MethodShape describe(const Method& method, std::vector<const HandleKind*>& handles);

// One call of a method: it reads its arguments, then ends with one of the functions below. In a description
// (arguments.h) these run nothing, so whatever does something belongs inside their functions.
//
//   void check(Call& call) {
//     const auto state = call.self<OpenedPool>();
//     const bool sampled = call.boolean("sampled");
//     call.resolves([state, sampled] { return state->check(sampled); }, writeReport);
//   }
class Call : public Arguments {
 public:
  Call(const Napi::CallbackInfo& info, MethodShape& shape)
      : Arguments(&info, shape.arguments), info_(&info), shape_(shape) {}
  Call(MethodShape& shape, std::vector<const HandleKind*>& handles)
      : Arguments(nullptr, shape.arguments), shape_(shape), handles_(&handles) {}

  // The state of the handle that the method is called on; null in a description.
  template <class State>
  std::shared_ptr<State> self() const {
    return isDescription() ? nullptr : stateOf<State>(info_->This(), "this");
  }

  // Runs `body` now, on the main thread, and returns what `write(Result&, result)` makes of its result.
  template <class Body, class Write>
  void returns(Body body, Write write) {
    if (isDescription()) return describeResult<decltype(body())>(write);
    Result result(info_->Env(), shape_.result);
    write(result, body());
    value_ = result.value();
  }
  template <class Body>
  void returns(Body body) {
    if constexpr (std::is_void_v<decltype(body())>) {
      if (!isDescription()) body();
    } else {
      returns(std::move(body), [](Result& result, const auto& value) { result.put(value); });
    }
  }

  // Runs `body` on the worker thread and resolves with what `write(Result&, result)` makes of its result.
  template <class Body, class Write>
  void resolves(Body body, Write write) {
    using Value = decltype(body());
    promises<Value>(write, [&](const auto& toJs) {
      auto value = std::make_shared<Value>();
      return runOnWorker(
          info_->Env(), [value, body = std::move(body)]() mutable { *value = body(); },
          [value, toJs](Napi::Env env) { return toJs(env, *value); });
    });
  }
  template <class Body>
  void resolves(Body body) {
    promises([&](Napi::Env env) { return runOnWorker(env, std::move(body)); });
  }

  // `start(toJs)` runs now and gives a promise, which it lets resolve with toJs(env, value).
  template <class Value, class Write, class Start>
  void promises(Write write, Start start) {
    shape_.isPromise = true;
    if (isDescription()) return describeResult<Value>(write);
    value_ = start([write, shape = &shape_.result](Napi::Env env, const Value& value) -> Napi::Value {
      Result result(env, *shape);
      write(result, value);
      return result.value();
    });
  }
  // `start(env)` gives a promise of nothing.
  template <class Start>
  void promises(Start start) {
    shape_.isPromise = true;
    if (!isDescription()) value_ = start(info_->Env());
  }

  Napi::Env env() const { return info_->Env(); }  // not in a description
  Napi::Value value() const { return value_; }

 private:
  template <class Value, class Write>
  void describeResult(Write write) {
    shape_.result.type = "undefined";
    Result result(shape_.result, *handles_);
    write(result, Value{});
  }

  const Napi::CallbackInfo* info_ = nullptr;
  MethodShape& shape_;
  std::vector<const HandleKind*>* handles_ = nullptr;
  Napi::Value value_;
};

}  // namespace railrunner::binding
