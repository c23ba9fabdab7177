#include "kv/cuda/cuda_hop.h"

#include <algorithm>

#include "kv/cuda/device_copy.h"

namespace railrunner::cuda {

namespace {

// Streams that slots take turns on: enough to keep the engine busy behind the disk, which is far slower.
constexpr uint32_t kNumStreams = 4;

}  // namespace

struct CudaHop::State {
  Device& device;
  int ordinal;
  std::byte* memory;
  std::byte* registered;  // the queue's buffers, where this hop registered them
  const DiskPiece* firstPiece;
  bool toDisk;
  Strategy strategy;
  CopyGrid grid;
  uint64_t slotBytes;
  std::vector<Stream> streams;
  std::vector<Event> done;             // by slot
  std::vector<uint32_t> firstInTable;  // by piece: where its parts start in the table
  PieceTable table;                    // offsets: device side in the pool, other side in the slot's buffer
  Buffer staging;                      // staged: a device twin of each slot's buffer
  CallList calls;                      // memcpyBatch and memcpy: by piece, for the slot of the moment
};

CudaHop::CudaHop(Device& device, std::byte* memory, DiskQueue& queue, const std::vector<DiskPiece>& pieces,
                 bool toDisk, const TransferOptions& options, Buffers buffers)
    : state_(std::make_unique<State>(State{device,
                                           device.ordinal(),
                                           memory,
                                           nullptr,
                                           pieces.data(),
                                           toDisk,
                                           strategyUsed(options.strategy),
                                           {std::max(1U, options.maxCtas), kCopyThreads},
                                           queue.requestBytes(),
                                           {},
                                           {},
                                           {},
                                           {},
                                           {},
                                           {}})) {
  makeCurrent(state_->ordinal);
  check(preloadCopyKernels(), "loading the copy kernels");
  if (state_->strategy == Strategy::kMemcpyBatch) requireMemcpyBatch();
  for (uint32_t i = 0; i < kNumStreams; ++i) state_->streams.emplace_back();
  for (uint32_t i = 0; i < queue.depth(); ++i) state_->done.emplace_back();
  std::vector<CopyRegion> table;
  for (const DiskPiece& piece : pieces) {
    state_->firstInTable.push_back(static_cast<uint32_t>(table.size()));
    const CopyRegion whole = toDisk ? CopyRegion{piece.memoryOffset, piece.requestOffset, piece.bytes}
                                    : CopyRegion{piece.requestOffset, piece.memoryOffset, piece.bytes};
    const std::vector<CopyRegion> parts = splitRegions({whole}, PieceTable::kPieceBytes);
    table.insert(table.end(), parts.begin(), parts.end());
  }
  state_->firstInTable.push_back(static_cast<uint32_t>(table.size()));
  state_->table.upload(table);
  const uint64_t slotsBytes = queue.depth() * state_->slotBytes;
  if (state_->strategy == Strategy::kStaged) state_->staging = Buffer(Buffer::Place::kDevice, slotsBytes);
  if (buffers == Buffers::kRegistered) return;
  device.registerHost(queue.slotBuffer(0), slotsBytes);
  state_->registered = queue.slotBuffer(0);
}

CudaHop::CudaHop(CudaHop&&) noexcept = default;

CudaHop::~CudaHop() {
  if (state_ == nullptr || state_->registered == nullptr) return;
  try {
    state_->device.unregisterHost(state_->registered);
  } catch (const Error&) {
    // The context is lost, and its registrations with it.
  }
}

Strategy CudaHop::strategyUsed(Strategy requested) {
  return requested == Strategy::kAuto ? Strategy::kKernel : requested;
}

void CudaHop::gather(uint32_t slot, std::byte* buffer, const DiskPiece* pieces, uint32_t count) {
  move(slot, buffer, pieces, count);
}

void CudaHop::scatter(uint32_t slot, const std::byte* buffer, const DiskPiece* pieces, uint32_t count) {
  move(slot, const_cast<std::byte*>(buffer), pieces, count);
}

void CudaHop::move(uint32_t slot, std::byte* buffer, const DiskPiece* pieces, uint32_t count) {
  State& s = *state_;
  makeCurrent(s.ordinal);
  const cudaStream_t stream = s.streams[slot % kNumStreams];
  const cudaMemcpyKind kind = s.toDisk ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice;
  const auto runKernel = [&](std::byte* other) {
    const uint32_t first = s.firstInTable[pieces - s.firstPiece];
    const uint32_t end = s.firstInTable[pieces - s.firstPiece + count];
    const auto pool = reinterpret_cast<uint64_t>(s.memory);
    const auto slotSide = reinterpret_cast<uint64_t>(other);
    const CopyBases bases = s.toDisk ? CopyBases{pool, slotSide} : CopyBases{slotSide, pool};
    s.table.issue(first, end - first, bases, s.grid, stream);
  };
  if (s.strategy == Strategy::kKernel) {
    runKernel(buffer);
  } else if (s.strategy == Strategy::kStaged) {
    std::byte* twin = s.staging.as<std::byte>() + slot * s.slotBytes;
    if (s.toDisk) runKernel(twin);
    // One DMA for each run of pieces: between them the buffer holds what the file has of other layers.
    for (uint32_t i = 0; i < count;) {
      const uint64_t begin = pieces[i].requestOffset;
      uint64_t end = begin;
      for (; i < count && pieces[i].requestOffset == end; ++i) end += pieces[i].bytes;
      check(cudaMemcpyAsync((s.toDisk ? buffer : twin) + begin, (s.toDisk ? twin : buffer) + begin,
                            end - begin, kind, stream),
            "cudaMemcpyAsync");
    }
    if (!s.toDisk) runKernel(twin);
  } else {
    s.calls.clear();
    for (uint32_t i = 0; i < count; ++i) {
      const auto pool = reinterpret_cast<uint64_t>(s.memory + pieces[i].memoryOffset);
      const auto slotSide = reinterpret_cast<uint64_t>(buffer + pieces[i].requestOffset);
      s.calls.add(s.toDisk ? pool : slotSide, s.toDisk ? slotSide : pool, pieces[i].bytes);
    }
    if (s.strategy == Strategy::kMemcpyBatch) {
      s.calls.issueBatched(0, count, stream);
    } else {
      s.calls.issueSingly(0, count, kind, stream);
    }
  }
  s.done[slot].record(stream);
}

bool CudaHop::finished(uint32_t slot) const {
  const cudaError_t status = cudaEventQuery(state_->done[slot]);
  if (status == cudaErrorNotReady) return false;
  check(status, "cudaEventQuery");
  return true;
}

void CudaHop::waitAll() noexcept {
  if (cudaSetDevice(state_->ordinal) != cudaSuccess) return;
  // A stream that has failed is over, too; who uses the GPU next learns of an error that stays.
  for (const Stream& stream : state_->streams) static_cast<void>(cudaStreamSynchronize(stream));
  static_cast<void>(cudaGetLastError());
}

}  // namespace railrunner::cuda
