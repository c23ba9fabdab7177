#include "binding/operation.h"

#include <string>
#include <vector>

namespace railrunner::binding {

namespace {

Napi::Float64Array toArray(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

FaultKind faultKindOf(const std::string& name) {
  for (const FaultKind kind : kFaultKinds) {
    if (name == faultName(kind)) return kind;
  }
  throw argumentError("fault", "the name of a fault that an operation can commit");
}

Napi::Object toJs(Napi::Env env, const Phase& phase) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("phase", phase.phase);
  object.Set("timing", phase.timing);
  object.Set("direction", phase.direction);
  object.Set("timesUs", toArray(env, phase.timesUs));
  object.Set("entrySkewUs", toArray(env, phase.entrySkewUs));
  object.Set("bytes", binding::toJs(env, phase.bytes));
  return object;
}

}  // namespace

InjectedFaults requireFaults(const Napi::Object& options) {
  const Napi::Value value = options.Get("faults");
  if (!value.IsArray()) throw argumentError("faults", "an array");
  const Napi::Array array = value.As<Napi::Array>();
  InjectedFaults faults;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Object fault = requireObject(array.Get(i), "faults");
    faults.add({faultKindOf(requireString(fault, "fault")), requireUint32(fault, "at")});
  }
  return faults;
}

Napi::Object toJs(Napi::Env env, const PathBytes& bytes) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("payload", static_cast<double>(bytes.payload));
  object.Set("self", static_cast<double>(bytes.self));
  object.Set("ipc", static_cast<double>(bytes.ipc));
  object.Set("network", static_cast<double>(bytes.network));
  object.Set("pcie", static_cast<double>(bytes.pcie));
  object.Set("disk", static_cast<double>(bytes.disk));
  return object;
}

Napi::Object toJs(Napi::Env env, const MeasuredPhases& measured) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array phases = Napi::Array::New(env, measured.phases.size());
  for (uint32_t i = 0; i < measured.phases.size(); ++i) phases.Set(i, toJs(env, measured.phases[i]));
  object.Set("phases", phases);
  object.Set("stopped", measured.stopped);
  return object;
}

Napi::Object toJs(Napi::Env env, const ProbeResult& probe) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("GBps", probe.GBps);
  object.Set("source", probe.source);
  object.Set("stopped", probe.stopped);
  return object;
}

}  // namespace railrunner::binding
