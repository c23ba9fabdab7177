// A device whose context is lost refuses everything, giving memory back too: explicit closes say so,
// destructors release what is theirs without ending the process.
#include "core/error.h"
#include "device/device.h"
#include "kv/block_pool.h"
#include "test/support/layout_shapes.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

class LostMemory final : public DeviceMemory {
 public:
  explicit LostMemory(std::unique_ptr<DeviceMemory> inner, const bool& lost)
      : inner_(std::move(inner)), lost_(lost) {}
  void* data() const override { return inner_->data(); }
  uint64_t bytes() const override { return inner_->bytes(); }
  ShareHandle share(uint64_t offset, uint64_t rangeBytes) const override {
    return inner_->share(offset, rangeBytes);
  }
  void close() override {
    inner_->close();
    if (lost_) throw Error(ErrorCode::kCudaSticky, "the context is lost");
  }

 private:
  std::unique_ptr<DeviceMemory> inner_;
  const bool& lost_;
};

class LosableDevice final : public Device {
 public:
  DeviceKind kind() const override { return host_->kind(); }
  int ordinal() const override { return host_->ordinal(); }
  int numaNode() const override { return host_->numaNode(); }
  DeviceProperties properties() const override { return host_->properties(); }
  std::unique_ptr<DeviceMemory> allocate(uint64_t bytes, Sharing sharing) override {
    return std::make_unique<LostMemory>(host_->allocate(bytes, sharing), lost);
  }
  std::unique_ptr<DeviceMemory> open(const ShareHandle& handle) override { return host_->open(handle); }
  void registerHost(void*, uint64_t) override {}
  void unregisterHost(void*) override {
    if (lost) throw Error(ErrorCode::kCudaSticky, "the context is lost");
  }
  bool lost = false;

 private:
  std::unique_ptr<Device> host_ = openDevice(DeviceKind::kHost, 0);
};

const LayoutShape kShape = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 3, 2, 8, 64, 2, 1);

}  // namespace

TEST("a pool of a lost device says so when it is closed, once") {
  for (const Tier tier : {Tier::kDevice, Tier::kHost}) {
    LosableDevice device;
    BlockPool pool(device, tier, kShape, {4}, "", 1);
    device.lost = true;
    throws(ErrorCode::kCudaSticky, "lost", [&] { pool.close(); });
    pool.close();
  }
}

TEST("a pool of a lost device that nobody closed goes without ending the process") {
  for (const Tier tier : {Tier::kDevice, Tier::kHost}) {
    LosableDevice device;
    const BlockPool pool(device, tier, kShape, {4}, "", 1);
    device.lost = true;
  }
}

int main() { return runAll(); }
