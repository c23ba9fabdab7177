#pragma once

#include <memory>

#include "binding/call.h"
#include "binding/world_binding.h"
#include "core/gate.h"
#include "core/injected_fault.h"
#include "core/phase.h"

// The one shape of measured operations in JavaScript (runner/native/types/operation.ts): probe, measure, facts, close.
//
// A binding file has a State that owns what the operation needs, and offers, all on the worker thread:
//   ProbeResult probe()
//   MeasuredPhases measure(const SampleProtocol&)
//   Facts facts()                                  and static void write(Result&, const Facts&)
//   void close(bool together, int64_t deadlineNs)  idempotent
// and names the functions below in the methods of its kKind.
namespace railrunner::binding {

// `faults` of the options: [{fault: "silence", at: 3}].
InjectedFaults readFaults(Arguments& options);

void writeBytes(Result& result, const PathBytes& bytes);
void writePhases(Result& result, const MeasuredPhases& measured);
void writeProbe(Result& result, const ProbeResult& probe);

// The gate of a measured loop: the world's, or that of a single rank where there is no world.
template <class Body>
auto withGate(const std::shared_ptr<OpenedWorld>& world, Body&& body) {
  if (world) return body(GateRef(world->gate->gate()));
  SoloGate solo;
  return body(GateRef(solo));
}

template <class State>
void probeOperation(Call& call) {
  const auto state = call.self<State>();
  call.resolves([state] { return state->probe(); }, writeProbe);
}

template <class State>
void measureOperation(Call& call) {
  const auto state = call.self<State>();
  const SampleProtocol protocol = readProtocol(call.object("samples"));
  call.resolves([state, protocol] { return state->measure(protocol); }, writePhases);
}

template <class State>
void factsOperation(Call& call) {
  const auto state = call.self<State>();
  call.resolves([state] { return state->facts(); }, State::write);
}

template <class State>
void closeOperation(Call& call) {
  const auto state = call.self<State>();
  const bool together = call.boolean("together");
  const int64_t deadlineNs = call.deadlineNs();
  call.resolves([state, together, deadlineNs] { state->close(together, deadlineNs); });
}

// Runs `open` on the worker thread, which makes `state` whole, and resolves with its handle.
template <class State, class Open>
void resolveHandle(Call& call, const std::shared_ptr<State>& state, Open open) {
  call.resolves(
      [state, open = std::move(open)]() mutable {
        open();
        return state;
      },
      [](Result& result, const std::shared_ptr<State>& opened) { result.putHandle(opened); });
}

}  // namespace railrunner::binding
