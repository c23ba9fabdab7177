#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

namespace railrunner {

enum class DeviceKind : uint32_t { kHost = 0, kCuda = 1 };

// What one rank sends another, over MPI, so that a same-node peer can map its memory. Fixed size and plain
// bytes; a receiver checks every field before it acts on it (magic, kind, sizes), because it came over the
// wire.
struct ShareHandle {
  static constexpr uint32_t kMagic = 0x52525348;  // "RRSH"
  uint32_t magic = 0;
  DeviceKind kind = DeviceKind::kHost;
  uint64_t bytes = 0;       // of the whole allocation
  uint64_t offset = 0;      // of the shared range: CUDA IPC handles denote the whole allocation, never a part
  uint64_t rangeBytes = 0;  // of the shared range
  int32_t processId = 0;    // host: the exporter, whose /proc entry names the segment
  int32_t descriptor = -1;  // host: the exporter's descriptor of the segment
  uint64_t nonce = 0;       // host: first word of the segment's header, tells a reused pid from the exporter
  std::array<uint8_t, 64> ipc{};  // cuda: cudaIpcMemHandle_t
};

struct DeviceProperties {
  DeviceKind kind = DeviceKind::kHost;
  int ordinal = 0;
  std::string name;
  std::string uuid;
  uint64_t totalBytes = 0;
  uint64_t freeBytes = 0;
  int numaNode = -1;  // -1 unknown
};

// One allocation, or one mapping of a peer's. close() is idempotent, explicit and never communicates; freeing
// exported memory while a peer has it mapped is undefined on cuda, so callers order it by barriers.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual void* data() const = 0;
  virtual uint64_t bytes() const = 0;
  // Sets every byte to zero before it returns. Memory that the CPU cannot reach overrides it.
  virtual void zero() { std::memset(data(), 0, bytes()); }
  virtual ShareHandle share(uint64_t offset, uint64_t rangeBytes) const = 0;
  virtual void close() = 0;
};

// Who reaches memory: the ranks of a node, which map each other's (share(), open()), or its rank only, for which the
// host has faster pages.
enum class Sharing : uint8_t { kNone, kNode };

// The small interface behind which the two kinds of device stand. Nothing here is called inside a timed loop.
class Device {
 public:
  virtual ~Device() = default;
  // Cheap, unlike properties(), which asks the operating system or the driver each time.
  virtual DeviceKind kind() const = 0;
  virtual int ordinal() const = 0;
  virtual int numaNode() const = 0;  // -1 unknown
  virtual DeviceProperties properties() const = 0;
  // Memory of this device. Throws kAllocation with the figures.
  virtual std::unique_ptr<DeviceMemory> allocate(uint64_t bytes, Sharing sharing = Sharing::kNode) = 0;
  // Maps a same-node peer's range; data() points at the range's first byte. A rank never opens its own
  // handle.
  virtual std::unique_ptr<DeviceMemory> open(const ShareHandle& handle) = 0;
  // Makes host memory reachable by this device's copies and kernels (cudaHostRegister; nothing on host).
  virtual void registerHost(void* data, uint64_t bytes) = 0;
  virtual void unregisterHost(void* data) = 0;
};

// Throws kUnsupportedHere when this build or machine has no such device.
std::unique_ptr<Device> openDevice(DeviceKind kind, int ordinal);

}  // namespace railrunner
