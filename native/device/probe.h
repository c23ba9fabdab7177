#pragma once

#include <string>

namespace railrunner {

// What this process could use, without opening it.
struct CudaProbe {
  int devices = 0;
  std::string driverVersion;  // '' where there is no driver
  std::string reason;         // why devices is 0; '' otherwise
};

CudaProbe probeCudaDevices();

}  // namespace railrunner
