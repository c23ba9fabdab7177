#pragma once

#include <memory>

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/worker_thread.h"
#include "binding/world_binding.h"
#include "core/gate.h"
#include "core/injected_fault.h"
#include "core/phase.h"

// The one shape of measured operations in JavaScript (runner/native/types/operation.ts): probe, measure, facts, close.
//
// A binding file has a State that owns what the operation needs, and offers, all on the worker thread:
//   ProbeResult probe()
//   MeasuredPhases measure(const SampleProtocol&)
//   Facts facts()                                  and static Napi::Value toJs(Napi::Env, const Facts&)
//   void close(bool together, int64_t deadlineNs)  idempotent
// and makes its handle with makeOperation<State, kKind>(env, state).
namespace railrunner::binding {

// `faults` of the options: [{fault: "silence", at: 3}].
InjectedFaults requireFaults(const Napi::Object& options);

Napi::Object toJs(Napi::Env env, const PathBytes& bytes);
Napi::Object toJs(Napi::Env env, const MeasuredPhases& measured);
Napi::Object toJs(Napi::Env env, const ProbeResult& probe);

// The gate of a measured loop: the world's, or that of a single rank where there is no world.
template <class Body>
auto withGate(const std::shared_ptr<OpenedWorld>& world, Body&& body) {
  if (world) return body(GateRef(world->gate->gate()));
  SoloGate solo;
  return body(GateRef(solo));
}

// Runs `body` on the worker thread and resolves with what `convert` makes of its result.
template <class Body, class Convert>
Napi::Promise resolveWith(Napi::Env env, Body body, Convert convert) {
  using Result = decltype(body());
  auto result = std::make_shared<Result>();
  return runOnWorker(
      env, [result, body = std::move(body)]() mutable { *result = body(); },
      [result, convert](Napi::Env resolved) -> Napi::Value { return convert(resolved, *result); });
}

template <class State, const HandleKind<State>& kKind>
Napi::Value probeOperation(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kKind);
    return resolveWith(
        info.Env(), [state] { return state->probe(); },
        [](Napi::Env env, const ProbeResult& probe) { return toJs(env, probe); });
  });
}

template <class State, const HandleKind<State>& kKind>
Napi::Value measureOperation(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kKind);
    const SampleProtocol protocol = requireProtocol(info[0]);
    return resolveWith(
        info.Env(), [state, protocol] { return state->measure(protocol); },
        [](Napi::Env env, const MeasuredPhases& measured) { return toJs(env, measured); });
  });
}

template <class State, const HandleKind<State>& kKind>
Napi::Value factsOperation(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kKind);
    return resolveWith(
        info.Env(), [state] { return state->facts(); },
        [](Napi::Env env, const auto& facts) { return State::toJs(env, facts); });
  });
}

template <class State, const HandleKind<State>& kKind>
Napi::Value closeOperation(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    auto state = requireState(info.This(), "this", kKind);
    if (!info[0].IsBoolean()) throw argumentError("together", "a boolean");
    const bool together = info[0].As<Napi::Boolean>().Value();
    const int64_t deadlineNs = requireDeadline(info[1]);
    return runOnWorker(info.Env(), [state, together, deadlineNs] { state->close(together, deadlineNs); });
  });
}

template <class State, const HandleKind<State>& kKind>
Napi::Object makeOperation(Napi::Env env, const std::shared_ptr<State>& state) {
  return makeHandle(env, state, kKind,
                    {{"probe", probeOperation<State, kKind>},
                     {"measure", measureOperation<State, kKind>},
                     {"facts", factsOperation<State, kKind>},
                     {"close", closeOperation<State, kKind>}});
}

}  // namespace railrunner::binding
