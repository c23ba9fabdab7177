#pragma once

#include "binding/call.h"

// The methods that one binding file defines and another puts in its table: those of the addon (addon.cc) and of a
// device (device_binding.cc).
namespace railrunner::binding::methods {

void openWorld(Call& call);
void probeDevices(Call& call);
void describeGpus(Call& call);
void setUcxVariables(Call& call);
void probeNetwork(Call& call);
void probeStorage(Call& call);
void lockByte(Call& call);
void probeNccl(Call& call);
void createNcclRecord(Call& call);
void openDevice(Call& call);

void createPool(Call& call);
void openTransfer(Call& call);
void openCommunicator(Call& call);
void openReplicated(Call& call);
void openRankTransfer(Call& call);
void openReplay(Call& call);
void openMoe(Call& call);

}  // namespace railrunner::binding::methods
