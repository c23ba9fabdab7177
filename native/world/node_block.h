#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace railrunner {

// How a rank of a node finds the block that its node's first rank made. Comes over the wire: checked before
// use.
struct NodeBlockHandle {
  static constexpr uint32_t kMagic = 0x52524e42;  // "RRNB"
  uint32_t magic = 0;
  int32_t localSize = 0;
  int32_t processId = 0;    // maker, whose /proc entry names the segment; 0 for a named segment
  int32_t descriptor = -1;  // the maker's descriptor
  uint64_t nonce = 0;       // first words of the segment, tells a reused process id from the maker
  char name[48] =
      {};  // named segment ("/..."), where /proc is closed to peers; removed once all have it mapped
};

// Shared memory of the ranks of one node: what the sampling gate spins on. One cache line pair per rank, so
// that writers do not disturb each other.
class NodeBlock {
 public:
  struct alignas(128) Slot {
    std::atomic<uint64_t> arrived{0};      // ticket of the gate that the rank has come to
    std::atomic<uint64_t> left{0};         // ticket of the gate that it has left
    std::atomic<int64_t> leftNs{0};        // when it left, CLOCK_MONOTONIC
    std::atomic<uint32_t> stop{0};         // its stop word, valid with `arrived`
    std::atomic<uint32_t> failedEpoch{0};  // it comes to no further gate of this epoch
  };
  struct alignas(128) Header {
    uint32_t magic = 0;
    int32_t localSize = 0;
    uint64_t nonce = 0;
    alignas(128) std::atomic<uint64_t> released{0};  // ticket of the gate that is open
    std::atomic<uint32_t> stop{0};                   // maximum over all ranks, valid with `released`
  };

  // Anonymous segment (memfd), or a named one with `named`. Throws kAllocation.
  static std::unique_ptr<NodeBlock> create(int localSize, bool named);
  // Maps a peer's block. Throws kArgument for a handle that is not what it should be, kIo where it cannot be
  // opened.
  static std::unique_ptr<NodeBlock> open(const NodeBlockHandle& handle, int expectedLocalSize);

  ~NodeBlock();
  NodeBlock(const NodeBlock&) = delete;
  NodeBlock& operator=(const NodeBlock&) = delete;

  const NodeBlockHandle& handle() const { return handle_; }
  // Takes the name of a named segment away; the mappings stay. The maker calls it once all have mapped it; what it never
  // does, because making or mapping failed, its end does.
  void unlinkName();
  Header& header() { return *static_cast<Header*>(data_); }
  Slot& slot(int localRank) {
    return reinterpret_cast<Slot*>(static_cast<char*>(data_) + sizeof(Header))[localRank];
  }
  int localSize() const { return handle_.localSize; }

 private:
  NodeBlock() = default;

  NodeBlockHandle handle_;
  void* data_ = nullptr;
  uint64_t bytes_ = 0;
  int descriptor_ = -1;   // the maker keeps it open: peers open it through /proc
  bool isNamed_ = false;  // the maker's, until unlinkName()
};

}  // namespace railrunner
