#include "device/cuda/cuda_device.h"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>

#include "core/checked.h"
#include "device/cuda/cuda_call.h"
#include "device/cuda/cuda_driver.h"

namespace railrunner {

namespace {

using IpcKey = std::array<uint8_t, 64>;
static_assert(sizeof(cudaIpcMemHandle_t) == sizeof(IpcKey));

// A handle may be opened once for a process and device, so mappings are shared and counted.
class IpcMappings {
 public:
  void* acquire(const IpcKey& key) {
    const std::lock_guard lock(mutex_);
    Mapping& mapping = mappings_[key];
    if (mapping.users == 0) {
      cudaIpcMemHandle_t handle;
      std::memcpy(&handle, key.data(), sizeof(handle));
      const cudaError_t status = cudaIpcOpenMemHandle(&mapping.base, handle, cudaIpcMemLazyEnablePeerAccess);
      if (status != cudaSuccess) mappings_.erase(key);
      cuda::check(status, "cudaIpcOpenMemHandle");
    }
    ++mapping.users;
    return mapping.base;
  }

  void release(const IpcKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = mappings_.find(key);
    if (found == mappings_.end() || --found->second.users > 0) return;
    void* base = found->second.base;
    mappings_.erase(found);
    cuda::check(cudaIpcCloseMemHandle(base), "cudaIpcCloseMemHandle");
  }

 private:
  struct Mapping {
    void* base = nullptr;
    int users = 0;
  };
  std::mutex mutex_;
  std::map<IpcKey, Mapping> mappings_;
};

// An IPC handle lets its opener read and write the whole block that the driver maps, other allocations in it
// included (seen with driver 580: two of 1 KiB lie in one block of 2 MiB). Memory that may be shared takes whole
// blocks.
constexpr uint64_t kIpcBlockBytes = 2ULL << 20;

class CudaMemory final : public DeviceMemory {
 public:
  CudaMemory(int ordinal, uint64_t bytes) : ordinal_(ordinal), bytes_(bytes) {
    cuda::check(cudaMalloc(&data_, alignUp(bytes, kIpcBlockBytes)), "cudaMalloc");
  }
  ~CudaMemory() override {
    // Closing is the owner's explicit duty; here only a failed setup is tidied, and errors have no one to go
    // to.
    if (data_ != nullptr && cudaSetDevice(ordinal_) == cudaSuccess) cudaFree(data_);
  }
  void* data() const override { return data_; }
  uint64_t bytes() const override { return bytes_; }
  void zero() override {
    cuda::makeCurrent(ordinal_);
    cuda::check(cudaMemset(data_, 0, bytes_), "cudaMemset");
    cuda::check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  ShareHandle share(uint64_t offset, uint64_t rangeBytes) const override {
    if (data_ == nullptr) throw Error(ErrorCode::kState, "share() of device memory that was closed");
    if (rangeBytes == 0 || checkedAdd(offset, rangeBytes, "shared range") > bytes_) {
      throw Error(ErrorCode::kArgument, "shared range of " + std::to_string(rangeBytes) +
                                            " bytes at offset " + std::to_string(offset) +
                                            " is not inside the allocation of " + std::to_string(bytes_) +
                                            " bytes");
    }
    cuda::makeCurrent(ordinal_);
    const cuda::AddressRange whole = cuda::addressRange(data_);
    // cudaIpcGetMemHandle takes a pointer into an allocation and forgets where it pointed, without an error.
    if (whole.base != reinterpret_cast<uint64_t>(data_) || whole.bytes < bytes_) {
      throw Error(ErrorCode::kState, "share(): expected memory that is an allocation of its own, received " +
                                         std::to_string(bytes_) + " bytes at offset " +
                                         std::to_string(reinterpret_cast<uint64_t>(data_) - whole.base) +
                                         " of an allocation of " + std::to_string(whole.bytes) + " bytes");
    }
    ShareHandle handle;
    handle.magic = ShareHandle::kMagic;
    handle.kind = DeviceKind::kCuda;
    handle.bytes = whole.bytes;
    handle.offset = offset;
    handle.rangeBytes = rangeBytes;
    cudaIpcMemHandle_t ipc;
    cuda::check(cudaIpcGetMemHandle(&ipc, data_), "cudaIpcGetMemHandle");
    std::memcpy(handle.ipc.data(), &ipc, sizeof(ipc));
    return handle;
  }

  void close() override {
    if (data_ == nullptr) return;
    cuda::makeCurrent(ordinal_);
    void* data = data_;
    data_ = nullptr;
    cuda::check(cudaFree(data), "cudaFree");
  }

 private:
  int ordinal_;
  uint64_t bytes_;
  void* data_ = nullptr;
};

class PeerMemory final : public DeviceMemory {
 public:
  PeerMemory(int ordinal, std::shared_ptr<IpcMappings> mappings, const ShareHandle& handle)
      : ordinal_(ordinal), mappings_(std::move(mappings)), handle_(handle) {
    base_ = mappings_->acquire(handle_.ipc);
    try {
      requireMapped();
    } catch (...) {
      mappings_->release(handle_.ipc);  // counted, and no destructor runs
      throw;
    }
  }
  ~PeerMemory() override {
    if (base_ == nullptr || cudaSetDevice(ordinal_) != cudaSuccess) return;
    try {
      mappings_->release(handle_.ipc);
    } catch (const Error&) {
      // The context is gone, and the mapping with it.
    }
  }
  void* data() const override {
    return base_ == nullptr ? nullptr : static_cast<uint8_t*>(base_) + handle_.offset;
  }
  uint64_t bytes() const override { return handle_.rangeBytes; }
  ShareHandle share(uint64_t, uint64_t) const override {
    throw Error(ErrorCode::kState, "memory of a peer cannot be shared on: its owner must share it");
  }
  void close() override {
    if (base_ == nullptr) return;
    cuda::makeCurrent(ordinal_);
    base_ = nullptr;
    mappings_->release(handle_.ipc);
  }

 private:
  void requireMapped() const {
    const uint64_t mapped = cuda::addressRange(base_).bytes;
    if (mapped >= handle_.bytes) return;
    throw Error(ErrorCode::kArgument, "a peer's memory handle claims " + std::to_string(handle_.bytes) +
                                          " bytes but maps " + std::to_string(mapped));
  }

  int ordinal_;
  std::shared_ptr<IpcMappings> mappings_;
  ShareHandle handle_;
  void* base_ = nullptr;
};

// NUMA node of the GPU's PCI slot; -1 where the kernel does not say (one node, or a virtual machine).
int numaNodeOf(int ordinal) {
  char slot[32] = {};
  if (cudaDeviceGetPCIBusId(slot, sizeof(slot), ordinal) != cudaSuccess) return -1;
  for (char* c = slot; *c != '\0'; ++c) *c = static_cast<char>(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
  std::ifstream file(std::string("/sys/bus/pci/devices/") + slot + "/numa_node");
  int node = -1;
  if (!(file >> node)) return -1;
  return node;
}

std::string uuidText(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", static_cast<unsigned>(static_cast<uint8_t>(uuid.bytes[i])));
    text += hex;
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int ordinal) : ordinal_(ordinal), mappings_(std::make_shared<IpcMappings>()) {
    cuda::makeCurrent(ordinal_);
    cuda::check(cudaFree(nullptr), "cudaFree(nullptr), which makes the context");
    int samePointer = 0;
    cuda::check(cudaDeviceGetAttribute(&samePointer, cudaDevAttrCanUseHostPointerForRegisteredMem, ordinal_),
                "cudaDeviceGetAttribute");
    if (samePointer == 0) {
      throw Error(ErrorCode::kUnsupportedHere,
                  "cuda device " + std::to_string(ordinal_) +
                      " cannot use host pointers of registered memory, which the "
                      "shared host pools need");
    }
    numaNode_ = numaNodeOf(ordinal_);
  }

  DeviceKind kind() const override { return DeviceKind::kCuda; }
  int ordinal() const override { return ordinal_; }
  int numaNode() const override { return numaNode_; }
  DeviceProperties properties() const override {
    cuda::makeCurrent(ordinal_);
    cudaDeviceProp cudaProperties{};
    cuda::check(cudaGetDeviceProperties(&cudaProperties, ordinal_), "cudaGetDeviceProperties");
    size_t freeBytes = 0;
    size_t totalBytes = 0;
    cuda::check(cudaMemGetInfo(&freeBytes, &totalBytes), "cudaMemGetInfo");
    DeviceProperties result;
    result.kind = DeviceKind::kCuda;
    result.ordinal = ordinal_;
    result.name = cudaProperties.name;
    result.uuid = uuidText(cudaProperties.uuid);
    result.totalBytes = totalBytes;
    result.freeBytes = freeBytes;
    result.numaNode = numaNode_;
    return result;
  }

  std::unique_ptr<DeviceMemory> allocate(uint64_t bytes, Sharing) override {
    cuda::makeCurrent(ordinal_);
    size_t freeBytes = 0;
    size_t totalBytes = 0;
    cuda::check(cudaMemGetInfo(&freeBytes, &totalBytes), "cudaMemGetInfo");
    if (bytes == 0 || bytes > freeBytes) {
      throw Error(ErrorCode::kAllocation,
                  "cuda device " + std::to_string(ordinal_) + ": asked for " + std::to_string(bytes) +
                      " bytes, " + std::to_string(freeBytes) + " of " + std::to_string(totalBytes) +
                      " are free. Use fewer deviceBlocks, or end what else uses the GPU.");
    }
    return std::make_unique<CudaMemory>(ordinal_, bytes);
  }

  std::unique_ptr<DeviceMemory> open(const ShareHandle& handle) override {
    if (handle.magic != ShareHandle::kMagic || handle.kind != DeviceKind::kCuda || handle.rangeBytes == 0 ||
        handle.rangeBytes > handle.bytes || handle.offset > handle.bytes - handle.rangeBytes) {
      throw Error(ErrorCode::kArgument,
                  "a peer's memory handle is not a cuda handle with a range inside its "
                  "allocation; do all ranks run the same build?");
    }
    cuda::makeCurrent(ordinal_);
    return std::make_unique<PeerMemory>(ordinal_, mappings_, handle);
  }

  void registerHost(void* data, uint64_t bytes) override {
    cuda::makeCurrent(ordinal_);
    const cudaError_t status =
        cudaHostRegister(data, bytes, cudaHostRegisterPortable | cudaHostRegisterMapped);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      throw Error(ErrorCode::kAllocation,
                  "cudaHostRegister could not pin " + std::to_string(bytes) +
                      " bytes of host memory. Raise the memlock limit (ulimit -l) or use "
                      "fewer hostBlocks.");
    }
    cuda::check(status, "cudaHostRegister");
  }

  void unregisterHost(void* data) override {
    cuda::makeCurrent(ordinal_);
    cuda::check(cudaHostUnregister(data), "cudaHostUnregister");
  }

 private:
  int ordinal_;
  int numaNode_ = -1;
  std::shared_ptr<IpcMappings> mappings_;
};

}  // namespace

namespace {

// 13000 is 13.0.
std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

CudaProbe probeCuda() {
  CudaProbe probe;
  int driverVersion = 0;
  if (cudaDriverGetVersion(&driverVersion) == cudaSuccess && driverVersion > 0) {
    probe.driverVersion = versionText(driverVersion);
  }
  int count = 0;  // CUDA leaves it alone where it fails
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (status == cudaSuccess && count > 0) {
    probe.devices = count;
  } else if (probe.driverVersion.empty()) {
    probe.reason = "no CUDA driver is loaded";
  } else if (status == cudaErrorInsufficientDriver) {
    probe.reason = "the CUDA driver (" + probe.driverVersion + ") is older than this build's runtime (" +
                   versionText(CUDART_VERSION) + ")";
  } else if (status == cudaSuccess || status == cudaErrorNoDevice) {
    probe.reason = "the CUDA driver sees no GPU (CUDA_VISIBLE_DEVICES may hide them)";
  } else {
    probe.reason =
        std::string("cudaGetDeviceCount: ") + cudaGetErrorName(status) + ", " + cudaGetErrorString(status);
  }
  return probe;
}

std::unique_ptr<Device> openCudaDevice(int ordinal) {
  const CudaProbe probe = probeCuda();
  if (probe.devices == 0) throw Error(ErrorCode::kUnsupportedHere, "no cuda device: " + probe.reason);
  if (ordinal < 0 || ordinal >= probe.devices) {
    throw Error(ErrorCode::kUnsupportedHere, "cuda device " + std::to_string(ordinal) +
                                                 " was asked for, but " + std::to_string(probe.devices) +
                                                 " are visible");
  }
  return std::make_unique<CudaDevice>(ordinal);
}

}  // namespace railrunner
