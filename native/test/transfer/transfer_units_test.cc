#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "test/support/named_cases.h"
#include "test/transfer/transfer_layouts.h"
#include "transfer/layout_registry.h"
#include "transfer/strategy_table.h"
#include "transfer/task_threads.h"

// Registered storage, the registry of layouts and the table of strategies: the rules of transfers that need no peer.
using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint64_t kBytes = 1 << 20;

// Counts releases, and fails them on wish.
struct CountingBackend final : Backend {
  struct Handle final : Registration {
    explicit Handle(CountingBackend& backend) : of(backend) {}
    void release() override {
      of.order += of.key;
      ++of.released;
      if (of.failRelease) throw Error(ErrorCode::kState, "no release");
    }
    CountingBackend& of;
  };
  CountingBackend(const char* name, std::string& log) : key(name), order(log) {}
  const char* name() const override { return key; }
  bool accepts(StorageKind) const override { return true; }
  std::unique_ptr<Registration> registerMemory(RegisteredStorage&) override {
    if (failRegister) throw Error(ErrorCode::kNetwork, "no registration");
    return std::make_unique<Handle>(*this);
  }
  const char* key;
  std::string& order;
  int released = 0;
  bool failRegister = false, failRelease = false;
};

struct LoggedMemory final : StorageMemory {
  explicit LoggedMemory(std::string& text) : log(text) {}
  std::byte* data() const override { return reinterpret_cast<std::byte*>(0x1000); }
  uint64_t bytes() const override { return kBytes; }
  ShareHandle share() const override { return {}; }
  void close() override { log += "memory"; }
  std::string& log;
};

std::string folder() { return std::filesystem::temp_directory_path(); }

size_t linksOf(int descriptor) {
  struct stat status {};
  return fstat(descriptor, &status) == 0 ? status.st_nlink : SIZE_MAX;
}

std::shared_ptr<RegisteredStorage> storageFor(Device& device, const LayoutShape& shape, uint32_t blocks) {
  return deviceStorage(device, makeLayout(shape, {blocks}, 1).totalBytes);
}

}  // namespace

TEST("each kind of storage has a descriptor while it is registered, and none before or after") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  std::string log;
  CountingBackend backend("any", log);
  const auto check = [&](RegisteredStorage& storage, MemoryType type, bool isFile) {
    ok(!storage.descriptor("any").has_value(), "no descriptor before the registration");
    throws(ErrorCode::kState, "is not registered", [&] { storage.subrange("any", 0, 8); });
    storage.registerWith(backend);
    const std::optional<Descriptor> whole = storage.descriptor("any");
    ok(whole.has_value() && whole->type == type && whole->bytes == kBytes, "descriptor");
    expectEqual(whole->address, isFile ? 0 : reinterpret_cast<uint64_t>(storage.data()), "address");
    ok(!storage.descriptor("peers").has_value(), "a descriptor of another backend");
    storage.unregister("any");
    ok(!storage.descriptor("any").has_value(), "no descriptor after the registration");
    throws(ErrorCode::kState, "is not registered with `any`", [&] { storage.unregister("any"); });
  };
  check(*systemStorage(kBytes), MemoryType::kDram, false);
  check(*pinnedStorage(*device, kBytes), MemoryType::kDram, false);
  check(*deviceStorage(*device, kBytes), MemoryType::kVram, false);
  check(*diskStorage(folder(), kBytes), MemoryType::kFile, true);
  throws(ErrorCode::kArgument, "at least one byte", [] { systemStorage(0); });
}

TEST("a storage is registered once with each backend, and with several") {
  std::string log;
  CountingBackend one("1", log), two("2", log);
  RegisteredStorage storage(StorageKind::kSystem, std::make_unique<LoggedMemory>(log));
  storage.registerWith(one);
  throws(ErrorCode::kState, "is registered with `1` already", [&] { storage.registerWith(one); });
  two.failRegister = true;
  throws(ErrorCode::kNetwork, "no registration", [&] { storage.registerWith(two); });
  ok(!storage.isRegistered("2"), "a failed registration left something");
  two.failRegister = false;
  storage.registerWith(two);
  ok(storage.isRegistered("1") && storage.isRegistered("2"), "both");
}

TEST("registrations are released before the memory, the last one first, also where one fails") {
  std::string log;
  CountingBackend one("1", log), two("2", log);
  RegisteredStorage storage(StorageKind::kDevice, std::make_unique<LoggedMemory>(log));
  storage.registerWith(one);
  storage.registerWith(two);
  two.failRelease = true;
  throws(ErrorCode::kState, "no release", [&] { storage.close(); });
  expectEqual(log, std::string("21memory"), "order");
  storage.close();
  expectEqual(log, std::string("21memory"), "closing twice");
  throws(ErrorCode::kState, "was used after its close", [&] { storage.registerWith(one); });
}

TEST("parts of registered memory end inside it; sums that wrap are refused") {
  std::string log;
  CountingBackend backend("any", log);
  RegisteredStorage storage(StorageKind::kSystem, std::make_unique<LoggedMemory>(log));
  storage.registerWith(backend);
  const Descriptor part = storage.subrange("any", 4096, kBytes - 4096);
  expectEqual(part.address, 0x2000U, "address");
  expectEqual(part.bytes, kBytes - 4096, "bytes");
  for (const auto& [offset, bytes] : std::vector<std::pair<uint64_t, uint64_t>>{{0, 0},
                                                                                {kBytes, 1},
                                                                                {1, kBytes},
                                                                                {UINT64_MAX, 1},
                                                                                {UINT64_MAX, 2},
                                                                                {8, UINT64_MAX},
                                                                                {0, kBytes + 1}}) {
    throws(ErrorCode::kArgument, "expected a range of the 1048576 registered bytes",
           [&, at = offset, size = bytes] { storage.subrange("any", at, size); });
  }
}

TEST("a file has its descriptor as device id, loses its name once registered, and is not registered again") {
  const auto storage = diskStorage(folder(), kBytes);
  FileBackend files;
  const auto descriptor = static_cast<int>(storage->memory().deviceId());
  expectEqual(linksOf(descriptor), 1U, "named before");
  storage->registerWith(files);
  expectEqual(linksOf(descriptor), 0U, "named after");
  expectEqual(storage->descriptor("file")->deviceId, static_cast<uint64_t>(descriptor), "device id");
  storage->unregister("file");
  throws(ErrorCode::kState, "was unlinked", [&] { storage->registerWith(files); });
  PeerBackend peers;
  const auto other = diskStorage(folder(), kBytes);
  throws(ErrorCode::kUnsupportedHere, "does not take memory of this kind",
         [&] { other->registerWith(peers); });
  throws(ErrorCode::kIo, "/no/such/folder", [] { diskStorage("/no/such/folder", kBytes); });
}

TEST("a remote descriptor carries its owner, its size, and a notification that is set, read and cleared") {
  RemoteDescriptor remote({0x1000, 64, MemoryType::kVram, 3}, "worker-3");
  expectEqual(remote.owner(), std::string("worker-3"), "owner");
  expectEqual(remote.bytes(), 64U, "bytes");
  ok(!remote.notification().has_value(), "a notification that nobody set");
  remote.setNotification("blocks 1 to 3");
  remote.setNotification("blocks 1 to 4");
  expectEqual(*remote.notification(), std::string("blocks 1 to 4"), "notification");
  remote.clearNotification();
  ok(!remote.notification().has_value(), "a notification that was cleared");
}

TEST(
    "handles: 128 bits, worker below, layout above; ids 0, 1, 2 and on; the 65,536th layout is refused for "
    "ever") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const LayoutShape shape = shapeOf({.numLayers = 1, .heads = {0, 1, 1}});
  const auto storage = storageFor(*device, shape, 1);
  LayoutRegistry registry({42, "worker-42"});
  for (uint32_t id = 0; id < LayoutRegistry::kMaxLayouts; ++id) {
    const LayoutHandle handle = registry.registerLocal(*storage, shape, {1});
    if (handle.layoutId != id || handle.workerId != 42) throw Failure("handle " + handle.text());
  }
  expectEqual(registry.numLocal(), 65'535U, "layouts");
  for (int again = 0; again < 3; ++again) {
    throws(ErrorCode::kState, "ids are not used again",
           [&] { registry.registerLocal(*storage, shape, {1}); });
  }
  const LayoutHandle last = registry.localHandles().back();
  expectEqual(last.low(), 42U, "low");
  expectEqual(last.high(), 65'534U, "high");
  ok(layoutHandleOf(last.low(), last.high()) == last, "round trip");
  throws(ErrorCode::kArgument, "bits 80 to 127", [] { layoutHandleOf(1, 65'536); });
  expectEqual(decodeMetadata(registry.exportMetadata()).layouts.size(), 65'535U, "exported");
}

TEST("layouts that do not fit their storage are refused, and take no id") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const LayoutShape shape = shapeOf({});
  const auto storage = storageFor(*device, shape, 4);
  LayoutRegistry registry({1, "worker-1"});
  throws(ErrorCode::kArgument, "the storage has", [&] { registry.registerLocal(*storage, shape, {5}); });
  expectEqual(registry.registerLocal(*storage, shape, {4}).layoutId, 0, "the first id");
}

TEST("export leaves out disk layouts; import gives the peer's handles; lookup is local first") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const LayoutShape shape = shapeOf({});
  LayoutRegistry mine({1, "worker-1"}), theirs({2, "worker-2"});
  const auto storage = storageFor(*device, shape, 4);
  const auto disk = diskStorage(folder(), makeLayout(shape, {4}, kDiskBlockBytes).totalBytes);
  const auto heap = systemStorage(storage->bytes());
  const LayoutHandle onDisk = theirs.registerLocal(*disk, shape, {4});
  const LayoutHandle inMemory = theirs.registerLocal(*storage, shape, {4});
  const LayoutHandle onHeap = theirs.registerLocal(*heap, shape, {4});
  const LayoutHandle own = mine.registerLocal(*storage, shape, {4});
  const auto imported = mine.importMetadata(theirs.exportMetadata(), "worker-2");
  expectEqual(imported.size(), 2U, "imported");
  ok(imported[0] == inMemory && imported[1] == onHeap, "handles are the peer's, ascending");
  ok(mine.isRemote(inMemory) && !mine.isLocal(inMemory) && mine.isLocal(own) && !mine.isRemote(own), "is");
  ok(!mine.isRemote(onDisk), "a disk layout was exported");
  expectEqual(mine.numLocal(), 1U, "local");
  expectEqual(mine.numRemote(), 2U, "remote");
  ok(mine.localHandles() == std::vector{own} && mine.remoteHandles() == imported, "lists");
  expectEqual(mine.find(inMemory, "source")->owner, std::string("worker-2"), "owner");
  ok(mine.find(own, "source")->address == reinterpret_cast<uint64_t>(storage->data()), "address");
  throws(ErrorCode::kArgument, "target handle 0x0000 0000000000000002: expected one",
         [&] { mine.find(onDisk, "target"); });
  // What is registered after the export is not known to the peer.
  throws(ErrorCode::kArgument, "expected one",
         [&] { mine.find(theirs.registerLocal(*storage, shape, {4}), "source"); });
}

TEST("an import that is refused leaves nothing, and a later one may succeed") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const LayoutShape shape = shapeOf({});
  const auto storage = storageFor(*device, shape, 4);
  LayoutRegistry mine({1, "worker-1"}), theirs({2, "worker-2"});
  mine.registerLocal(*storage, shape, {4});
  for (int i = 0; i < 3; ++i) theirs.registerLocal(*storage, shape, {4});
  const std::vector<uint8_t> good = theirs.exportMetadata();
  const auto refused = [&](ErrorCode code, const char* part, std::vector<uint8_t> blob, const char* name) {
    const size_t before = mine.numRemote();
    throws(code, part, [&] { mine.importMetadata(blob, name); });
    expectEqual(mine.numRemote(), before, "what a refused import left");
  };
  refused(ErrorCode::kWrongData, "received that of worker 2 (worker-2)", good, "worker-3");
  refused(ErrorCode::kState, "is this worker itself", mine.exportMetadata(), "worker-1");
  std::vector<uint8_t> torn = good;
  torn.back() ^= 1;
  refused(ErrorCode::kWrongData, "checksum", torn, "worker-2");
  LayoutRegistry sameId({1, "worker-1b"});
  sameId.registerLocal(*storage, shape, {4});
  refused(ErrorCode::kState, "is taken", sameId.exportMetadata(), "worker-1b");
  expectEqual(mine.importMetadata(good, "worker-2").size(), 3U, "the good one");
  refused(ErrorCode::kState, "was imported already", good, "worker-2");
  LayoutRegistry halfTaken({2, "worker-2b"});
  for (int i = 0; i < 5; ++i) halfTaken.registerLocal(*storage, shape, {4});
  refused(ErrorCode::kState, "is taken", halfTaken.exportMetadata(), "worker-2b");
}

TEST("a thousand peers are imported, and looked up meanwhile by other threads") {
  const auto device = openDevice(DeviceKind::kHost, 0);
  const LayoutShape shape = threeGroups(61);
  const uint64_t bytes = makeLayout(shape, {64, 8}, 1).totalBytes;
  const auto storage = deviceStorage(*device, bytes);
  LayoutRegistry mine({UINT64_MAX, "me"});
  const LayoutHandle own = mine.registerLocal(*storage, shape, {64, 8});
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done.load()) static_cast<void>(mine.find(own, "source"));
  });
  for (uint64_t peer = 0; peer < 1'000; ++peer) {
    LayoutRegistry theirs({peer, "worker-" + std::to_string(peer)});
    theirs.registerLocal(*storage, shape, {64, 8});
    mine.importMetadata(theirs.exportMetadata(), theirs.worker().agentName);
  }
  done = true;
  reader.join();
  expectEqual(mine.numRemote(), 1'000U, "remote");
}

TEST("the table of strategies: every pair, by capability; pairs without one are refused by name") {
  const StorageKind kinds[] = {StorageKind::kSystem, StorageKind::kPinned, StorageKind::kDevice,
                               StorageKind::kDisk};
  const auto said = [](TransferSide from, TransferSide to, TransferCapabilities has) {
    try {
      return strategyFor(from, to, has).text();
    } catch (const Error& error) {
      ok(error.code() == ErrorCode::kUnsupportedHere, error.what());
      return std::string(error.what()).substr(std::string(error.what()).find(": ") + 2, 5);
    }
  };
  // From domain knowledge of the v2 planner, written out: rows from, columns to system, pinned, device, disk.
  const std::string two = "deviceToHost, pinned, write";
  const std::string back = "readFlipped, pinned, hostToDevice";
  const std::string local[4][4] = {{"memcpy", "memcpy", "hostToDevice", "write"},
                                   {"memcpy", "memcpy", "hostToDevice", "write"},
                                   {"deviceToHost", "deviceToHost", "deviceToDevice", two},
                                   {"readFlipped", "readFlipped", back, "readFlipped, pinned, write"}};
  const std::string out[4][4] = {{"write", "write", "write", "files"},
                                 {"write", "write", "write", "files"},
                                 {two, two, two, "files"},
                                 {"files", "files", "files", "files"}};
  const std::string in[4][4] = {{"readFlipped", "readFlipped", back, "files"},
                                {"readFlipped", "readFlipped", back, "files"},
                                {"readFlipped", "readFlipped", back, "files"},
                                {"files", "files", "files", "files"}};
  for (int from = 0; from < 4; ++from) {
    for (int to = 0; to < 4; ++to) {
      const std::string pair =
          std::string(storageKindName(kinds[from])) + " to " + storageKindName(kinds[to]);
      expectEqual(said({kinds[from], false}, {kinds[to], false}, {}), local[from][to], pair);
      expectEqual(said({kinds[from], false}, {kinds[to], true}, {}), out[from][to], pair + " of a peer");
      expectEqual(said({kinds[from], true}, {kinds[to], false}, {}), in[from][to], pair + " from a peer");
      expectEqual(said({kinds[from], true}, {kinds[to], true}, {}), std::string("both "),
                  pair + " between peers");
    }
  }
  const TransferSide device{StorageKind::kDevice, false}, disk{StorageKind::kDisk, false};
  expectEqual(said(device, disk, {true, false}), std::string("write"), "device to disk with GDS");
  expectEqual(said(disk, device, {true, false}), std::string("read"), "disk to device with GDS");
  expectEqual(said(device, {StorageKind::kDevice, true}, {false, true}), std::string("write"), "GPU RDMA");
  expectEqual(said({StorageKind::kDevice, true}, device, {false, true}), std::string("readFlipped"),
              "GPU RDMA");
  throws(ErrorCode::kUnsupportedHere, "no transfer from local disk to remote device: files are not reachable",
         [] {
           strategyFor({StorageKind::kDisk, false}, {StorageKind::kDevice, true}, {});
         });
}

TEST("concurrent tasks are bounded; one that fails says so, and one that waits is withdrawn") {
  RunControl control;
  TaskThreads threads(control, 2, 1, false);
  std::atomic<uint32_t> begun{0};
  std::atomic<bool> release{false};
  std::vector<std::unique_ptr<CopyTask>> tasks;
  for (uint32_t i = 0; i < 6; ++i) {
    tasks.push_back(threads.makeTask([&, i](SpanCopier&, uint32_t chunk) {
      ++begun;
      while (!release.load()) std::this_thread::yield();
      if (i == 1) throw Error(ErrorCode::kIo, "chunk " + std::to_string(chunk));
    }));
    tasks.back()->start(i);
  }
  while (begun.load() < 2) std::this_thread::yield();
  tasks[5]->drain();
  ok(tasks[5]->poll(), "a task that waits is withdrawn");
  release = true;
  for (uint32_t i : {0U, 2U, 3U, 4U}) {
    while (!tasks[i]->poll()) std::this_thread::yield();
  }
  throws(ErrorCode::kIo, "chunk 1", [&] {
    while (!tasks[1]->poll()) std::this_thread::yield();
  });
  expectEqual(begun.load(), 5U, "tasks that ran");
  expectEqual(threads.mostRunning(), 2U, "at once");
}

int main() { return runAll(); }
