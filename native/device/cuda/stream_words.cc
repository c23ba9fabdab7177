#include "device/cuda/stream_words.h"

#include <cuda.h>
#include <dlfcn.h>

#include <string>

#include "core/error.h"

namespace railrunner::cuda {

namespace {

using WordCall = int (*)(CUstream stream, CUdeviceptr word, uint32_t value, unsigned flags);

struct WordCalls {
  WordCall write = nullptr;
  WordCall wait = nullptr;
};

// The driver is opened at run time: the addon must load where there is none. The second version of the calls needs no
// option of the kernel module; every driver for CUDA 11.7 or newer has it.
const WordCalls& wordCalls() {
  static const WordCalls calls = [] {
    WordCalls found;
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (driver == nullptr) return found;
    found.write = reinterpret_cast<WordCall>(dlsym(driver, "cuStreamWriteValue32_v2"));
    found.wait = reinterpret_cast<WordCall>(dlsym(driver, "cuStreamWaitValue32_v2"));
    return found;
  }();
  return calls;
}

void issue(WordCall call, const char* name, cudaStream_t stream, const uint32_t* word, uint32_t value,
           unsigned flags) {
  if (call == nullptr) {
    throw Error(ErrorCode::kUnsupportedHere, std::string("libcuda.so.1 does not load or lacks ") + name +
                                                 "; a driver for CUDA 11.7 or newer has it");
  }
  const int status = call(stream, reinterpret_cast<CUdeviceptr>(word), value, flags);
  if (status == CUDA_SUCCESS) return;
  throw Error(ErrorCode::kCuda, std::string(name) + " failed with CUresult " + std::to_string(status));
}

}  // namespace

bool streamWordsAvailable() { return wordCalls().write != nullptr && wordCalls().wait != nullptr; }

void writeWord(cudaStream_t stream, uint32_t* word, uint32_t value) {
  issue(wordCalls().write, "cuStreamWriteValue32_v2", stream, word, value, CU_STREAM_WRITE_VALUE_DEFAULT);
}

void awaitWord(cudaStream_t stream, const uint32_t* word, uint32_t value) {
  issue(wordCalls().wait, "cuStreamWaitValue32_v2", stream, word, value, CU_STREAM_WAIT_VALUE_GEQ);
}

}  // namespace railrunner::cuda
