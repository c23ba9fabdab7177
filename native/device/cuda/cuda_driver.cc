#include "device/cuda/cuda_driver.h"

#include <dlfcn.h>

#include <string>

#include "core/error.h"

namespace railrunner::cuda {

namespace {

using GetAddressRange = int (*)(uint64_t* base, size_t* bytes, uint64_t pointer);

// The driver is opened at run time: the addon must load where there is none.
GetAddressRange findGetAddressRange() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return nullptr;
  return reinterpret_cast<GetAddressRange>(dlsym(driver, "cuMemGetAddressRange_v2"));
}

}  // namespace

AddressRange addressRange(const void* data) {
  static const GetAddressRange getAddressRange = findGetAddressRange();
  if (getAddressRange == nullptr) {
    throw Error(ErrorCode::kUnsupportedHere, "libcuda.so.1 does not load or lacks cuMemGetAddressRange_v2");
  }
  AddressRange range;
  size_t bytes = 0;
  const int status = getAddressRange(&range.base, &bytes, reinterpret_cast<uint64_t>(data));
  if (status != 0) {
    throw Error(ErrorCode::kCuda, "cuMemGetAddressRange failed with CUresult " + std::to_string(status));
  }
  range.bytes = bytes;
  return range;
}

}  // namespace railrunner::cuda
