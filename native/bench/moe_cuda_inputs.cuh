#pragma once

// Inputs of the GPU benchmark, what its ranks (threads of one process) share, and its small kernels.
#include <cuda_runtime.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "moe/cuda/low_latency/kernels.h"
#include "moe/cuda/low_latency/launch.h"
#include "moe/numerics.h"
#include "moe/payload.h"

using namespace railrunner::moe;
using namespace railrunner::moe::cuda;

#define CUDA(call)                                                                                    \
  do {                                                                                                \
    const cudaError_t status_ = (call);                                                               \
    if (status_ != cudaSuccess) {                                                                     \
      std::fprintf(stderr, "%s:%d %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(status_)); \
      std::_Exit(3);                                                                                  \
    }                                                                                                 \
  } while (0)

static __global__ void barrierKernel(uint64_t* const* tables, uint32_t rank, uint32_t worldSize,
                                     uint64_t generation) {
  const uint32_t peer = threadIdx.x;
  if (peer >= worldSize) return;
  asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(tables[peer] + rank), "l"(generation) : "memory");
  uint64_t seen = 0;
  for (uint64_t polls = 0; seen < generation && polls < (1ULL << 24); ++polls) {
    asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(seen) : "l"(tables[rank] + peer) : "memory");
  }
}

__host__ __device__ inline uint32_t rowBase(uint32_t salt, uint32_t rank, uint64_t row) {
  return tokenBase(77, salt, rank, static_cast<uint32_t>(row));
}

static __global__ void fillRows(uint16_t* y, uint64_t rows, uint32_t hidden, uint32_t salt, uint32_t rank) {
  for (uint64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const uint32_t base = rowBase(salt, rank, row);
    for (uint32_t pair = threadIdx.x; pair < hidden / 2; pair += blockDim.x) {
      reinterpret_cast<uint32_t*>(y + row * hidden)[pair] = payloadPair(base, pair);
    }
  }
}

inline uint16_t payloadElement(uint32_t base, uint32_t column) {
  return static_cast<uint16_t>(payloadPair(base, column / 2) >> (16 * (column & 1)));
}

struct Inputs {
  uint32_t numTokens;
  std::vector<int32_t> ids;
  std::vector<float> weights;
  std::vector<uint16_t> x;
};

struct Case {
  const char* name;
  Shape shape;
  std::vector<uint32_t> tokens;  // a rank
  double withoutChoice;          // share of -1 entries
};

inline Inputs makeInputs(const Case& c, uint32_t rank, uint32_t salt) {
  Inputs in;
  const Shape& s = c.shape;
  in.numTokens = c.tokens[rank % c.tokens.size()];
  std::mt19937 random(1000 * salt + rank);
  std::uniform_real_distribution<double> unit(0, 1);
  for (uint32_t t = 0; t < in.numTokens; ++t) {
    std::vector<int32_t> chosen;
    while (chosen.size() < s.numTopk) {
      const auto e = static_cast<int32_t>(random() % s.numExperts);
      if (std::find(chosen.begin(), chosen.end(), e) == chosen.end()) chosen.push_back(e);
    }
    for (int32_t e : chosen) {
      in.ids.push_back(unit(random) < c.withoutChoice ? -1 : e);
      in.weights.push_back(static_cast<float>(unit(random)));
    }
    const uint32_t base = rowBase(salt, 100 + rank, t);
    for (uint32_t col = 0; col < s.paddedHidden(); ++col) in.x.push_back(payloadElement(base, col));
  }
  return in;
}

template <class T>
T* deviceArray(uint64_t count) {
  void* p = nullptr;
  CUDA(cudaMalloc(&p, std::max<uint64_t>(count, 1) * sizeof(T) + 256));
  CUDA(cudaMemset(p, 0, std::max<uint64_t>(count, 1) * sizeof(T) + 256));
  return static_cast<T*>(p);
}

template <class T>
std::vector<T> fetched(const T* device, uint64_t count) {
  std::vector<T> host(count);
  if (count != 0) CUDA(cudaMemcpy(host.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost));
  return host;
}

struct World {
  uint32_t size;
  std::barrier<> meet;
  std::vector<std::byte*> bases;
  std::vector<uint64_t*> tables;
  std::vector<Inputs> inputs;
  std::vector<std::vector<int32_t>> rowOf;  // by rank: [source, token, k] -> row of its result or -1
  std::vector<std::map<std::string, double>> figures;
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> checked{0};
  explicit World(uint32_t n) : size(n), meet(n), bases(n), tables(n), inputs(n), rowOf(n), figures(n) {}
};
