#include "binding/methods.h"
#include "network/network.h"
#include "network/ucx_settings.h"

namespace railrunner::binding {

namespace {

void writeNetwork(Result& result, const NetworkProbe& probe) {
  result.set("available", probe.available);
  result.set("version", probe.version);
  result.set("transports", probe.transports);
  result.set("cudaMemory", probe.cudaMemory);
  result.set("reason", probe.reason);
}

}  // namespace

// Off the main thread: UCX looks at every device of the machine.
void methods::probeNetwork(Call& call) {
  call.resolves([] { return railrunner::probeNetwork(); }, writeNetwork);
}

void methods::setUcxVariables(Call& call) {
  const std::string named = call.text("named");
  call.returns([named] { railrunner::setUcxVariables(named); });
}

}  // namespace railrunner::binding
