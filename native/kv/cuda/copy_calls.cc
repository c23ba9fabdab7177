#include "kv/cuda/copy_calls.h"

#include <algorithm>

namespace railrunner::cuda {

namespace {

constexpr uint32_t kMaxBatchCalls = 1024;

cudaError_t memcpyBatch(void** targets, void** sources, size_t* sizes, size_t count, cudaStream_t stream) {
#if CUDART_VERSION >= 12080
  cudaMemcpyAttributes attributes{};
  attributes.srcAccessOrder = cudaMemcpySrcAccessOrderStream;
  attributes.flags = cudaMemcpyFlagPreferOverlapWithCompute;
  size_t attributesIndex = 0;
#if CUDART_VERSION >= 13000
  return cudaMemcpyBatchAsync(targets, sources, sizes, count, &attributes, &attributesIndex, 1, stream);
#else
  size_t failedIndex = 0;
  return cudaMemcpyBatchAsync(targets, sources, sizes, count, &attributes, &attributesIndex, 1, &failedIndex,
                              stream);
#endif
#else
  (void)targets, (void)sources, (void)sizes, (void)count, (void)stream;
  return cudaErrorNotSupported;
#endif
}

// A build with a new runtime can meet a driver that lacks the call: one copy tells.
bool tryMemcpyBatch() {
  const Stream stream;
  const Buffer source(Buffer::Place::kPinned, 16);
  const Buffer target(Buffer::Place::kDevice, 16);
  void* targets[] = {target.as()};
  void* sources[] = {source.as()};
  size_t sizes[] = {16};
  const cudaError_t status = memcpyBatch(targets, sources, sizes, 1, stream);
  if (status == cudaSuccess) {
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    return true;
  }
  if (isSticky(status)) check(status, "cudaMemcpyBatchAsync");
  cudaGetLastError();
  return false;
}

}  // namespace

bool memcpyBatchAvailable() {
  static const bool available = tryMemcpyBatch();
  return available;
}

void requireMemcpyBatch() {
  if (memcpyBatchAvailable()) return;
  throw Error(ErrorCode::kUnsupportedHere,
              "strategy memcpyBatch needs cudaMemcpyBatchAsync: a build with CUDA 12.8 or newer, and a "
              "driver that has "
              "it");
}

void CallList::clear() {
  sources_.clear();
  targets_.clear();
  sizes_.clear();
}

void CallList::add(uint64_t source, uint64_t target, uint64_t bytes) {
  sources_.push_back(reinterpret_cast<void*>(source));
  targets_.push_back(reinterpret_cast<void*>(target));
  sizes_.push_back(bytes);
}

void CallList::issueSingly(uint32_t first, uint32_t count, cudaMemcpyKind kind, cudaStream_t stream) {
  for (uint32_t i = first; i < first + count; ++i) {
    check(cudaMemcpyAsync(targets_[i], sources_[i], sizes_[i], kind, stream), "cudaMemcpyAsync");
  }
}

void CallList::issueBatched(uint32_t first, uint32_t count, cudaStream_t stream) {
  for (uint32_t done = 0; done < count; done += kMaxBatchCalls) {
    const uint32_t i = first + done;
    check(memcpyBatch(&targets_[i], &sources_[i], &sizes_[i], std::min(kMaxBatchCalls, count - done), stream),
          "cudaMemcpyBatchAsync");
  }
}

void PieceTable::upload(const std::vector<CopyRegion>& pieces) {
  if (pieces.empty()) return;
  std::vector<CopyPiece> table;
  table.reserve(pieces.size());
  for (const CopyRegion& piece : pieces) {
    table.push_back({piece.source, piece.target, static_cast<uint32_t>(piece.bytes), 0});
  }
  const uint64_t bytes = table.size() * sizeof(CopyPiece);
  table_ = Buffer(Buffer::Place::kDevice, bytes);
  copyToDevice(table_.as(), table.data(), bytes, "cudaMemcpy of the piece table");
}

void PieceTable::issue(uint32_t first, uint32_t count, CopyBases bases, CopyGrid grid,
                       cudaStream_t stream) const {
  check(launchCopyPieces(table_.as<CopyPiece>() + first, count, bases, grid, stream),
        "launching copyPiecesKernel");
}

cudaMemcpyKind memcpyKind(CopyDirection direction) {
  return direction == CopyDirection::kDeviceToHost ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice;
}

}  // namespace railrunner::cuda
