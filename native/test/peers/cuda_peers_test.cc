// Memory of GPUs between processes: CUDA IPC handles of ranges inside an allocation, and the symmetric
// buffer. Both ranks on GPU 0; then, with two GPUs, one each; then one each where neither sees the other's
// GPU.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/pattern.h"
#include "device/cuda/cuda_call.h"
#include "device/cuda/cuda_device.h"
#include "device/cuda/cuda_handles.h"
#include "kv/cuda/copy_kernels.h"
#include "peers/symmetric_buffer.h"
#include "test/support/check.h"
#include "test/support/rank_processes.h"

namespace railrunner::test {
namespace {

using cuda::check;

// Two allocations that cudaMalloc would cut out of one block of 2 MiB, all of which an IPC handle exposes.
constexpr uint64_t kBlockBytes = 2 << 20;
constexpr uint64_t kSmallBytes = 96 << 10;
constexpr uint64_t kOffset = (40 << 10) + 16;
constexpr uint64_t kRangeBytes = 24 << 10;

std::vector<uint8_t> contentOf(uint32_t rank, uint64_t bytes) {
  std::vector<uint8_t> content(bytes);
  for (uint64_t i = 0; i < bytes; ++i) content[i] = static_cast<uint8_t>(mix64(i + (rank + 1) * 1'000'000));
  return content;
}

std::vector<uint8_t> readBack(const void* data, uint64_t bytes) {
  std::vector<uint8_t> content(bytes);
  check(cudaMemcpy(content.data(), data, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  return content;
}

// A kernel of this rank's GPU reads or writes the other's memory, as kernels of the modules above do.
void copyByKernel(void* target, const void* source, uint32_t bytes) {
  const cuda::CopyPiece piece{reinterpret_cast<uint64_t>(source), reinterpret_cast<uint64_t>(target), bytes,
                              0};
  const cuda::Buffer table(cuda::Buffer::Place::kDevice, sizeof(piece));
  check(cudaMemcpy(table.as(), &piece, sizeof(piece), cudaMemcpyHostToDevice), "cudaMemcpy");
  const cuda::Stream stream;
  check(cuda::launchCopyPieces(table.as<cuda::CopyPiece>(), 1, {0, 0}, {1, 256}, stream), "copy kernel");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

int shareRanges(HubExchange& exchange, Device& device) {
  const uint32_t rank = exchange.rank();
  const auto first = device.allocate(kSmallBytes);
  const auto second = device.allocate(kSmallBytes);
  first->zero();
  const std::vector<uint8_t> mine = contentOf(rank, kSmallBytes);
  check(cudaMemcpy(second->data(), mine.data(), kSmallBytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  const ShareHandle handles[] = {second->share(kOffset, kRangeBytes), second->share(0, kSmallBytes),
                                 first->share(16, 32)};
  const auto all = exchange.allgather({reinterpret_cast<const uint8_t*>(handles), sizeof(handles)}, 0);
  const uint32_t peer = 1 - rank;
  ShareHandle theirs[3];
  std::memcpy(theirs, all[peer].data(), sizeof(theirs));
  CHECK(theirs[0].bytes >= kBlockBytes);
  CHECK_EQUAL(theirs[0].offset, kOffset);
  // Each is a block of its own: nothing else of this process can be reached by its handle.
  CHECK_EQUAL(reinterpret_cast<uint64_t>(first->data()) % kBlockBytes, 0U);
  CHECK_EQUAL(reinterpret_cast<uint64_t>(second->data()) % kBlockBytes, 0U);
  CHECK_EQUAL(second->bytes(), kSmallBytes);
  const auto range = device.open(theirs[0]);
  const auto whole = device.open(theirs[1]);  // the same allocation a second time
  CHECK_EQUAL(range->bytes(), kRangeBytes);
  CHECK(static_cast<uint8_t*>(whole->data()) + kOffset == range->data());
  const std::vector<uint8_t> expected = contentOf(peer, kSmallBytes);
  CHECK(readBack(whole->data(), kSmallBytes) == expected);
  const auto own = device.allocate(kRangeBytes);
  copyByKernel(own->data(), range->data(), kRangeBytes);
  CHECK(readBack(own->data(), kRangeBytes) ==
        std::vector<uint8_t>(expected.begin() + kOffset, expected.begin() + kOffset + kRangeBytes));
  exchange.barrier();
  // The other way: the peer's range is overwritten with what this rank holds there, and nothing around it.
  copyByKernel(range->data(), static_cast<uint8_t*>(own->data()), 4096);
  copyByKernel(static_cast<uint8_t*>(range->data()) + 4096, first->data(), 16);
  exchange.barrier();
  const std::vector<uint8_t> after = readBack(second->data(), kSmallBytes);
  CHECK(std::equal(mine.begin(), mine.begin() + kOffset + 4096, after.begin()));
  CHECK(std::equal(mine.begin() + kOffset + 4096 + 16, mine.end(), after.begin() + kOffset + 4096 + 16));
  CHECK(!std::equal(mine.begin(), mine.end(), after.begin()));
  ShareHandle hostile = theirs[0];
  hostile.offset = hostile.bytes - 8;
  try {
    device.open(hostile);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kArgument);
  }
  range->close();
  whole->close();
  exchange.barrier();  // nobody frees what a peer has mapped
  return failures == 0 ? 0 : 1;
}

// Memory that is not there is refused as such, so that the point fails and the next one runs.
int refuseTooMuch(Device& device) {
  void* data = nullptr;
  try {
    check(cudaMalloc(&data, uint64_t{1} << 50), "cudaMalloc");
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kAllocation);
  }
  CHECK(device.allocate(4096) != nullptr);
  return failures == 0 ? 0 : 1;
}

int shareSymmetric(HubExchange& exchange, Device& device) {
  constexpr uint64_t kBytes = 3 << 20;
  const uint32_t peer = 1 - exchange.rank();
  const auto buffer = SymmetricBuffer::open(exchange, device, kBytes, {1, 1}, 0);
  CHECK(readBack(buffer->local(), kBytes) == std::vector<uint8_t>(kBytes, 0));
  exchange.barrier();
  const std::vector<uint8_t> words = contentOf(exchange.rank(), 4096);
  const cuda::Buffer staged(cuda::Buffer::Place::kDevice, words.size());
  check(cudaMemcpy(staged.as(), words.data(), words.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
  copyByKernel(buffer->bases()[peer] + 1040, staged.as(), 4096);
  exchange.barrier();
  CHECK(readBack(buffer->local() + 1040, 4096) == contentOf(peer, 4096));
  CHECK(readBack(buffer->local(), 1040) == std::vector<uint8_t>(1040, 0));
  buffer->close(&exchange, 0);
  buffer->close(&exchange, 0);
  return failures == 0 ? 0 : 1;
}

enum class Where { kOneGpu, kOneEach, kHiddenPeer };

// CUDA may not be used in the process that forks the ranks, so the ranks themselves find out how many GPUs
// there are.
constexpr int kTooFewGpus = 77;

int bothOn(HubExchange& exchange, Where where) {
  const uint32_t rank = exchange.rank();
  if (where == Where::kHiddenPeer) setenv("CUDA_VISIBLE_DEVICES", std::to_string(rank).c_str(), 1);
  const int ordinal = where == Where::kOneEach ? static_cast<int>(rank) : 0;
  const auto mine = static_cast<uint8_t>(ordinal < probeCuda().devices ? 1 : 0);
  for (const auto& there : exchange.allgather({&mine, 1}, 0)) {
    if (there[0] == 0) return kTooFewGpus;
  }
  const auto device = openDevice(DeviceKind::kCuda, ordinal);
  check(cuda::preloadCopyKernels(), "loading the copy kernels");
  if (refuseTooMuch(*device) != 0) return 1;
  const int status = shareRanges(exchange, *device);
  return status != 0 ? status : shareSymmetric(exchange, *device);
}

int number = 0;
int failed = 0;

void checkRanks(const char* name, int (*body)(HubExchange&)) {
  bool good = true;
  bool skipped = false;
  for (const RankOutcome& outcome : runRanks(2, body)) {
    skipped = skipped || outcome.exitStatus == kTooFewGpus;
    good = good && outcome.exitStatus == 0;
  }
  std::printf("%s %d - %s%s\n", good || skipped ? "ok" : "not ok", ++number, name,
              skipped ? " # SKIP needs more GPUs" : "");
  if (!good && !skipped) ++failed;
}

}  // namespace
}  // namespace railrunner::test

int main() {
  using namespace railrunner::test;
  checkRanks("two ranks on one GPU", [](auto& exchange) { return bothOn(exchange, Where::kOneGpu); });
  checkRanks("a GPU each", [](auto& exchange) { return bothOn(exchange, Where::kOneEach); });
  checkRanks("a GPU each, the other's hidden",
             [](auto& exchange) { return bothOn(exchange, Where::kHiddenPeer); });
  std::printf("1..%d\n", number);
  return failed == 0 ? 0 : 1;
}
