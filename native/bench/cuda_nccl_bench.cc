#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

// usage: cuda_nccl_bench FILE.csv [tokens [hidden]]
//
// What NCCL takes for the wire of high-throughput dispatch and combine, one process, a rank per GPU: all-gather of every
// rank's tokens and reduce-scatter of their sums, as engines without an expert-parallel library do, and an alltoallv of
// grouped sends and receives of the rows that uniform routing sends (top 8 of 256). No placing, no expansion and no sums
// of experts: those come on top. CSV: what,payload,us,MB that leave each rank,GB/s.
namespace {

constexpr uint32_t kTopk = 8;
constexpr int kUint8 = 1;
constexpr int kBf16 = 9;
constexpr int kSum = 0;
constexpr uint32_t kWarmup = 3;
constexpr uint32_t kCalls = 20;

using Comm = void*;

struct Nccl {
  void* library = dlopen("libnccl.so.2", RTLD_NOW);
  template <class Function>
  Function* take(const char* name) const {
    void* found = library == nullptr ? nullptr : dlsym(library, name);
    if (found == nullptr) throw std::runtime_error(std::string("libnccl.so.2 has no ") + name);
    return reinterpret_cast<Function*>(found);
  }
  int (*initAll)(Comm*, int, const int*) = take<int(Comm*, int, const int*)>("ncclCommInitAll");
  int (*destroy)(Comm) = take<int(Comm)>("ncclCommDestroy");
  int (*version)(int*) = take<int(int*)>("ncclGetVersion");
  int (*groupStart)() = take<int()>("ncclGroupStart");
  int (*groupEnd)() = take<int()>("ncclGroupEnd");
  int (*allGather)(const void*, void*, size_t, int, Comm, cudaStream_t) =
      take<int(const void*, void*, size_t, int, Comm, cudaStream_t)>("ncclAllGather");
  int (*reduceScatter)(const void*, void*, size_t, int, int, Comm, cudaStream_t) =
      take<int(const void*, void*, size_t, int, int, Comm, cudaStream_t)>("ncclReduceScatter");
  int (*send)(const void*, size_t, int, int, Comm,
              cudaStream_t) = take<int(const void*, size_t, int, int, Comm, cudaStream_t)>("ncclSend");
  int (*receive)(void*, size_t, int, int, Comm,
                 cudaStream_t) = take<int(void*, size_t, int, int, Comm, cudaStream_t)>("ncclRecv");
};

void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}
void check(int result) {
  if (result != 0) throw std::runtime_error("NCCL result " + std::to_string(result));
}

struct Rank {
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  uint8_t* own = nullptr;
  uint8_t* all = nullptr;
};

class World {
 public:
  World(int size, uint64_t ownBytes) : comms_(size), ranks_(size) {
    check(nccl.initAll(comms_.data(), size, nullptr));
    each([&](int rank) {
      Rank& r = ranks_[rank];
      check(cudaStreamCreateWithFlags(&r.stream, cudaStreamNonBlocking));
      check(cudaEventCreate(&r.begin));
      check(cudaEventCreate(&r.end));
      check(cudaMalloc(reinterpret_cast<void**>(&r.own), ownBytes * size));
      check(cudaMalloc(reinterpret_cast<void**>(&r.all), ownBytes * size));
      check(cudaMemset(r.own, 0, ownBytes * size));
      check(cudaDeviceSynchronize());
    });
  }
  ~World() {
    for (const Comm comm : comms_) nccl.destroy(comm);
  }

  int size() const { return static_cast<int>(ranks_.size()); }
  Comm comm(int rank) const { return comms_[rank]; }
  Rank& operator[](int rank) { return ranks_[rank]; }
  void each(const std::function<void(int)>& body) {
    for (int rank = 0; rank < size(); ++rank) {
      check(cudaSetDevice(rank));
      body(rank);
    }
  }
  // us of one call, back to back, of the slowest rank.
  double timed(const std::function<void(int)>& call) {
    for (uint32_t i = 0; i < kWarmup + kCalls; ++i) {
      if (i == kWarmup)
        each([&](int rank) { check(cudaEventRecord(ranks_[rank].begin, ranks_[rank].stream)); });
      check(nccl.groupStart());
      each(call);
      check(nccl.groupEnd());
    }
    float slowest = 0;
    each([&](int rank) { check(cudaEventRecord(ranks_[rank].end, ranks_[rank].stream)); });
    each([&](int rank) {
      float ms = 0;
      check(cudaEventSynchronize(ranks_[rank].end));
      check(cudaEventElapsedTime(&ms, ranks_[rank].begin, ranks_[rank].end));
      slowest = std::max(slowest, ms);
    });
    return slowest * 1e3 / kCalls;
  }

  Nccl nccl;

 private:
  std::vector<Comm> comms_;
  std::vector<Rank> ranks_;
};

// Share of the tokens that choose an expert of one given rank, by uniform routing without replacement.
double shareOfRank(int worldSize) {
  constexpr double kExperts = 256;
  const double elsewhere = kExperts - kExperts / worldSize;
  double none = 1;
  for (uint32_t k = 0; k < kTopk; ++k) none *= (elsewhere - k) / (kExperts - k);
  return 1 - none;
}

void measure(World& world, std::FILE* csv, const char* payload, uint32_t tokens, uint64_t rowBytes) {
  const uint64_t own = tokens * rowBytes;
  const auto write = [&](const char* what, double us, uint64_t bytes) {
    std::fprintf(csv, "%s,%s,%.1f,%.1f,%.1f\n", what, payload, us, bytes / 1e6, bytes / us / 1e3);
    std::printf("# %s, %s: %.1f us, %.1f GB/s\n", what, payload, us, bytes / us / 1e3);
  };
  const uint64_t others = world.size() - 1;
  write("all-gather of all tokens", world.timed([&](int rank) {
    check(world.nccl.allGather(world[rank].own, world[rank].all, own, kUint8, world.comm(rank),
                               world[rank].stream));
  }),
        others * own);
  const auto rows = static_cast<uint64_t>(tokens * shareOfRank(world.size()));
  const uint64_t piece = rows * rowBytes;
  write("alltoallv by grouped sends and receives", world.timed([&](int rank) {
    for (int peer = 0; peer < world.size(); ++peer) {
      if (peer == rank) continue;
      check(world.nccl.send(world[rank].own + peer * own, piece, kUint8, peer, world.comm(rank),
                            world[rank].stream));
      check(world.nccl.receive(world[rank].all + peer * own, piece, kUint8, peer, world.comm(rank),
                               world[rank].stream));
    }
  }),
        others * piece);
  if (std::string(payload) != "bf16") return;
  write("reduce-scatter of all tokens' sums", world.timed([&](int rank) {
    check(world.nccl.reduceScatter(world[rank].own, world[rank].all, own / 2, kBf16, kSum, world.comm(rank),
                                   world[rank].stream));
  }),
        others * own);
}

}  // namespace

int main(int argc, char** argv) {
  int gpus = 0;
  if (argc < 2 || cudaGetDeviceCount(&gpus) != cudaSuccess || gpus < 2) {
    std::fprintf(stderr,
                 "usage: cuda_nccl_bench FILE.csv [tokens [hidden]], on a machine with two GPUs or more\n");
    return 2;
  }
  const uint32_t tokens = argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 4096;
  const uint64_t hidden = argc > 3 ? static_cast<uint64_t>(std::atoi(argv[3])) : 7168;
  std::FILE* csv = std::fopen(argv[1], "w");
  if (csv == nullptr) return 2;
  try {
    World world(gpus, tokens * hidden * 2);
    int version = 0;
    check(world.nccl.version(&version));
    std::printf("# NCCL %d, %d GPUs, %u tokens per rank\n", version, gpus, tokens);
    std::fprintf(csv, "what,payload,us,MB,GBps\n");
    measure(world, csv, "bf16", tokens, 2 * hidden);
    measure(world, csv, "fp8", tokens, hidden + hidden / 32);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::fclose(csv);
  return 0;
}
