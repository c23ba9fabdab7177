#include "world/node_block.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "core/clock.h"
#include "core/error.h"

namespace railrunner {

namespace {

constexpr int kMaxLocalSize = 4096;

uint64_t bytesFor(int localSize) {
  return sizeof(NodeBlock::Header) + static_cast<uint64_t>(localSize) * sizeof(NodeBlock::Slot);
}

uint64_t makeNonce() {
  uint64_t nonce = 0;
  if (getrandom(&nonce, sizeof nonce, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof nonce)) {
    nonce = static_cast<uint64_t>(nowNs()) ^ (static_cast<uint64_t>(getpid()) << 40);
  }
  return nonce;
}

// Descriptor that is closed if a failure unwinds.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  int release() {
    const int value = value_;
    value_ = -1;
    return value;
  }

 private:
  int value_;
};

void checkHandle(const NodeBlockHandle& handle, int expectedLocalSize) {
  const bool named = handle.name[0] != '\0';
  std::string fault;
  if (handle.magic != NodeBlockHandle::kMagic) fault = "magic number";
  if (handle.localSize != expectedLocalSize || handle.localSize < 1 || handle.localSize > kMaxLocalSize) {
    fault = "number of ranks (expected " + std::to_string(expectedLocalSize) + ", received " +
            std::to_string(handle.localSize) + ")";
  }
  if (!named && (handle.processId <= 0 || handle.descriptor < 0)) fault = "process or descriptor";
  if (named) {
    const std::string name(handle.name, strnlen(handle.name, sizeof handle.name));
    if (name.size() == sizeof handle.name || name.rfind("/railrunner.", 0) != 0 ||
        name.find('/', 1) != std::string::npos) {
      fault = "name";
    }
  }
  if (!fault.empty()) {
    throw Error(ErrorCode::kArgument, "a node block's handle came over the wire with a wrong " + fault +
                                          ". The ranks may run different builds of railrunner.");
  }
}

}  // namespace

std::unique_ptr<NodeBlock> NodeBlock::create(int localSize, bool named) {
  std::unique_ptr<NodeBlock> block(new NodeBlock());
  block->bytes_ = bytesFor(localSize);
  block->handle_.magic = NodeBlockHandle::kMagic;
  block->handle_.localSize = localSize;
  block->handle_.nonce = makeNonce();
  int descriptor = -1;
  if (named) {
    snprintf(block->handle_.name, sizeof block->handle_.name, "/railrunner.%d.%08x",
             static_cast<int>(getpid()), static_cast<unsigned>(block->handle_.nonce));
    descriptor = shm_open(block->handle_.name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  } else {
    descriptor = memfd_create("railrunner node block", MFD_CLOEXEC);
  }
  if (descriptor < 0)
    throw errnoError(ErrorCode::kAllocation, "node block: cannot make a shared segment", errno);
  block->descriptor_ = descriptor;
  block->isNamed_ = named;
  // posix_fallocate: a full /dev/shm is an error here instead of a SIGBUS later.
  if (const int failure = posix_fallocate(descriptor, 0, static_cast<off_t>(block->bytes_)); failure != 0) {
    throw errnoError(ErrorCode::kAllocation,
                     "node block: cannot allocate " + std::to_string(block->bytes_) + " bytes", failure);
  }
  block->data_ = mmap(nullptr, block->bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (block->data_ == MAP_FAILED) {
    block->data_ = nullptr;
    throw errnoError(ErrorCode::kAllocation, "node block: cannot map a shared segment", errno);
  }
  Header& header = *new (block->data_) Header();
  for (int rank = 0; rank < localSize; ++rank) new (&block->slot(rank)) Slot();
  header.localSize = localSize;
  header.nonce = block->handle_.nonce;
  header.magic = NodeBlockHandle::kMagic;
  if (!named) {
    block->handle_.processId = getpid();
    block->handle_.descriptor = descriptor;
  }
  return block;
}

std::unique_ptr<NodeBlock> NodeBlock::open(const NodeBlockHandle& handle, int expectedLocalSize) {
  checkHandle(handle, expectedLocalSize);
  std::unique_ptr<NodeBlock> block(new NodeBlock());
  block->handle_ = handle;
  block->bytes_ = bytesFor(handle.localSize);
  const bool named = handle.name[0] != '\0';
  const std::string path =
      named ? std::string(handle.name)
            : "/proc/" + std::to_string(handle.processId) + "/fd/" + std::to_string(handle.descriptor);
  const Descriptor descriptor(named ? shm_open(path.c_str(), O_RDWR | O_CLOEXEC, 0)
                                    : ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (descriptor.get() < 0) throw errnoError(ErrorCode::kIo, "node block: open " + path, errno);
  struct stat status {};
  if (fstat(descriptor.get(), &status) != 0)
    throw errnoError(ErrorCode::kIo, "node block: stat " + path, errno);
  if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) != block->bytes_) {
    throw Error(ErrorCode::kArgument,
                "node block: " + path + " is not the segment that its handle describes: expected " +
                    std::to_string(block->bytes_) + " bytes, received " + std::to_string(status.st_size));
  }
  block->data_ = mmap(nullptr, block->bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (block->data_ == MAP_FAILED) {
    block->data_ = nullptr;
    throw errnoError(ErrorCode::kIo, "node block: map " + path, errno);
  }
  const Header& header = block->header();
  if (header.magic != NodeBlockHandle::kMagic || header.nonce != handle.nonce ||
      header.localSize != handle.localSize) {
    throw Error(ErrorCode::kArgument,
                "node block: " + path + " belongs to someone else: its nonce is not the handle's");
  }
  return block;
}

void NodeBlock::unlinkName() {
  if (isNamed_) shm_unlink(handle_.name);
  isNamed_ = false;
}

NodeBlock::~NodeBlock() {
  unlinkName();
  if (data_ != nullptr) munmap(data_, bytes_);
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace railrunner
