#include "binding/methods.h"
#include "storage/byte_lock.h"
#include "storage/probe.h"

namespace railrunner::binding {

namespace {

const char* directName(DirectIo kind) {
  switch (kind) {
    case DirectIo::kDirect:
      return "direct";
    case DirectIo::kUnconfirmed:
      return "unconfirmed";
    case DirectIo::kBuffered:
      return "buffered";
  }
  return "buffered";
}

void writeStorage(Result& result, const StorageProbe& probe) {
  result.set("direct", directName(probe.direct.kind));
  result.set("directReason", probe.direct.reason);
  result.set("alignmentBytes", probe.direct.alignmentBytes);
  result.set("ringRefusal", probe.ringRefusal);
  result.set("diskIo", probe.diskIo);
}

const char* lockName(ByteLock lock) {
  switch (lock) {
    case ByteLock::kHeld:
      return "held";
    case ByteLock::kTaken:
      return "taken";
    case ByteLock::kUnsupported:
      return "unsupported";
  }
  return "unsupported";
}

}  // namespace

void methods::probeStorage(Call& call) {
  const std::string folder = call.text("folder");
  const auto queueDepth = static_cast<uint32_t>(call.integer("queueDepth", 1, 4096));
  call.resolves([folder, queueDepth] { return railrunner::probeStorage(folder, queueDepth); }, writeStorage);
}

void methods::lockByte(Call& call) {
  const std::string path = call.text("path");
  const uint64_t offset = call.size("offset");
  call.resolves([path, offset] { return railrunner::lockByte(path, offset); },
                [](Result& result, ByteLock lock) { result.put(lockName(lock)); });
}

}  // namespace railrunner::binding
