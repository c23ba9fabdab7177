#include "binding/operation.h"

namespace railrunner::binding {

namespace {

void writePhase(Result& result, const Phase& phase) {
  result.set("phase", phase.phase);
  result.set("timing", phase.timing);
  result.set("direction", phase.direction);
  result.setTyped("timesUs", phase.timesUs);
  result.setTyped("entrySkewUs", phase.entrySkewUs);
  result.setObject("bytes", phase.bytes, writeBytes);
}

}  // namespace

InjectedFaults readFaults(Arguments& options) {
  static const Choices<FaultKind> kKinds = namedChoices<FaultKind>(kFaultKinds, faultName);
  InjectedFaults faults;
  for (const InjectedFault& fault : options.objects("faults", [](Arguments& entry) {
         const auto kind = entry.choice("fault", kKinds);
         return InjectedFault{kind, entry.uint32("at")};
       })) {
    faults.add(fault);
  }
  return faults;
}

void writeBytes(Result& result, const PathBytes& bytes) {
  result.set("payload", bytes.payload);
  result.set("self", bytes.self);
  result.set("ipc", bytes.ipc);
  result.set("network", bytes.network);
  result.set("pcie", bytes.pcie);
  result.set("disk", bytes.disk);
}

void writePhases(Result& result, const MeasuredPhases& measured) {
  result.setArray("phases", measured.phases, writePhase);
  result.set("stopped", measured.stopped);
}

void writeProbe(Result& result, const ProbeResult& probe) {
  result.set("GBps", probe.GBps);
  result.set("source", probe.source);
  result.set("stopped", probe.stopped);
}

}  // namespace railrunner::binding
