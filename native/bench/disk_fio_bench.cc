// The disk queue against fio: `disk_fio_bench FOLDER [ROUNDS]` (15). Both read and write the same file by
// turns, since on a virtual disk the speed of a file depends on where it lies: 256 requests of 1 MiB in
// random order, 32 in flight, 8 passes, io_uring with O_DIRECT and registered buffers. Prints CSV: medians
// over the rounds in GB/s, and the median of each round's ratio. Needs fio.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "storage/disk_queue.h"
#include "times.h"

namespace railrunner::test {
namespace {

constexpr uint32_t kRequestBytes = 1 << 20;
constexpr uint32_t kRequests = 256;
constexpr uint32_t kDepth = 32;
constexpr uint32_t kPasses = 8;
constexpr uint64_t kFileBytes = uint64_t{kRequestBytes} * kRequests;

using bench::medianOf;

// GB/s of kPasses passes, each over all requests in an order of its own.
double byQueue(const DiskFile& file, bool write, std::mt19937& random) {
  DiskQueue queue(file, kDepth, kRequestBytes, DiskEngine::kUring);
  std::vector<uint32_t> order;
  for (uint32_t pass = 0; pass < kPasses; ++pass) {
    const auto begin = static_cast<std::ptrdiff_t>(order.size());
    order.resize(order.size() + kRequests);
    std::iota(order.begin() + begin, order.end(), 0U);
    std::shuffle(order.begin() + begin, order.end(), random);
  }
  std::vector<DiskCompletion> completions(kDepth);
  std::vector<uint32_t> freeSlots(kDepth);
  std::iota(freeSlots.begin(), freeSlots.end(), 0U);
  size_t next = 0;
  const double startUs = nowUs();
  while (next < order.size() || queue.inFlight() > 0) {
    for (; next < order.size() && !freeSlots.empty(); freeSlots.pop_back()) {
      queue.start(freeSlots.back(),
                  {write, uint64_t{kRequestBytes} * order[next++], kRequestBytes, nullptr, 0});
    }
    const uint32_t done = queue.collect(completions.data());
    for (uint32_t i = 0; i < done; ++i) {
      if (completions[i].error != 0) throw errnoError(ErrorCode::kIo, "a request", completions[i].error);
      freeSlots.push_back(completions[i].slot);
    }
  }
  return static_cast<double>(kPasses * kFileBytes) / ((nowUs() - startUs) * 1e3);
}

// fio opens the file, which has no name any more, by this process's descriptor.
double byFio(const DiskFile& file, bool write) {
  const std::string direction = write ? "write" : "read";
  const std::string command =
      "fio --name=pass --filename=/proc/" + std::to_string(getpid()) + "/fd/" +
      std::to_string(file.descriptor()) + " --rw=rand" + direction +
      " --bs=" + std::to_string(kRequestBytes) + " --size=" + std::to_string(kFileBytes) +
      " --iodepth=" + std::to_string(kDepth) + " --loops=" + std::to_string(kPasses) +
      " --randrepeat=0 --ioengine=io_uring --direct=1 --fixedbufs=1 --registerfiles=1 --output-format=terse";
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) throw errnoError(ErrorCode::kState, "starting fio", errno);
  std::string text;
  char part[4096];
  for (size_t got = 0; (got = fread(part, 1, sizeof(part), output)) > 0;) text.append(part, got);
  const int status = pclose(output);
  // Terse version 3: field 7 is KiB/s read, field 48 KiB/s written, counted from 1.
  size_t at = 0;
  for (int field = 1; field < (write ? 48 : 7) && at != std::string::npos; ++field) {
    at = text.find(';', at);
    at = at == std::string::npos ? at : at + 1;
  }
  if (status != 0 || at == std::string::npos) {
    throw Error(ErrorCode::kState, "fio ended with " + std::to_string(status) + ": " + text);
  }
  return std::atof(text.c_str() + at) * 1024 / 1e9;
}

void compare(const DiskFile& file, bool write, uint32_t rounds, std::mt19937& random) {
  std::vector<double> ours, theirs, ratios;
  for (uint32_t round = 0; round < rounds; ++round) {
    const bool oursFirst = round % 2 == 0;
    const double first = oursFirst ? byQueue(file, write, random) : byFio(file, write);
    const double second = oursFirst ? byFio(file, write) : byQueue(file, write, random);
    ours.push_back(oursFirst ? first : second);
    theirs.push_back(oursFirst ? second : first);
    ratios.push_back(ours.back() / theirs.back());
  }
  std::printf("%s,%.2f,%.2f,%.3f,%u\n", write ? "write" : "read", medianOf(ours), medianOf(theirs),
              medianOf(ratios), rounds);
  std::fflush(stdout);
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner;
  using namespace railrunner::test;
  if (argc < 2) {
    std::fprintf(stderr, "usage: disk_fio_bench FOLDER [ROUNDS]\n");
    return 2;
  }
  const uint32_t rounds = argc > 2 ? static_cast<uint32_t>(std::max(1, std::atoi(argv[2]))) : 15;
  try {
    DiskFile file(argv[1], kFileBytes);
    std::mt19937 random(1);
    byQueue(file, true, random);
    std::printf("direction,railrunner GB/s,fio GB/s,ratio,pairs\n");
    compare(file, true, rounds, random);
    compare(file, false, rounds, random);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
