#pragma once

#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "bench/times.h"
#include "core/clock.h"
#include "kv/stream_copy.h"
#include "network/ucx_api.h"
#include "test/support/rank_processes.h"

// Pieces from one process to another over bare UCX, 128 MiB of one memory into another, so that neither fits a cache: what
// the network module is compared with, and what it chose its protocol by. Made by rank 0 and 1 of a world of two.
namespace railrunner::bench {

enum class PieceSend { kContiguous, kGather, kPack, kIov };
enum class PieceReceive { kCopy, kStream, kPost };  // memcpy, past the caches, by UCX where they belong

struct PieceVariant {
  const char* name;
  PieceSend send;
  PieceReceive receive;
  uint32_t piecesPerMessage;  // at most; a message is no larger than 256 KiB
  std::vector<std::pair<const char*, const char*>> settings;
};

// Messages in one part, copied into UCX's buffer, as the network module has them.
inline std::vector<std::pair<const char*, const char*>> eagerSettings() {
  return {{"TCP_TX_SEG_SIZE", "300K"},
          {"TCP_RX_SEG_SIZE", "300K"},
          {"RNDV_THRESH", "inf"},
          {"ZCOPY_THRESH", "inf"}};
}

struct PieceResult {
  double GBps = 0;  // median
  double senderGBps =
      0;  // bytes by CPU time of calls that moved something: what other programs take does not count
  double receiverGBps = 0;  // the same there
};

class PieceStream {
 public:
  static constexpr uint64_t kTotalBytes = 128U << 20;
  static constexpr uint64_t kMessageBytes = 256U << 10;
  static constexpr int kIterations = 5;

  PieceStream(test::HubExchange& exchange, const PieceVariant& variant, uint64_t pieceBytes)
      : exchange_(exchange),
        variant_(variant),
        pieceBytes_(variant.send == PieceSend::kContiguous ? kMessageBytes : pieceBytes),
        memory_(kTotalBytes, std::byte(exchange.rank() + 1)) {
    createContext();
    ucp_worker_params_t params{};
    params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
    params.thread_mode = UCS_THREAD_MODE_SINGLE;
    require(ucx().ucp_worker_create(context_, &params, &worker_));
    handle(kData, &PieceStream::onData);
    handle(kDone, [](void* self, const void*, size_t, void*, size_t, const ucp_am_recv_param_t*) {
      ++static_cast<PieceStream*>(self)->done_;
      return UCS_OK;
    });
    createPacked();
    connect();
  }

  // Collective. Throws kState where a byte did not arrive.
  PieceResult run() {
    std::vector<double> times;
    for (int i = 0; i <= kIterations; ++i) {
      exchange_.barrier();
      if (i == 1) busyUs_ = 0;
      const double startUs = nowUs();
      if (exchange_.rank() == 0) {
        sendAll();
        while (done_ <= i) progress();
      } else {
        receiveAll();
      }
      if (i > 0) times.push_back(nowUs() - startUs);
    }
    if (exchange_.rank() == 1 &&
        std::ranges::count(memory_, std::byte{1}) != static_cast<int64_t>(kTotalBytes))
      throw Error(ErrorCode::kState, "bytes of the bare stream are missing");
    const auto all = exchange_.allgather({reinterpret_cast<const uint8_t*>(&busyUs_), sizeof(busyUs_)}, 0);
    std::array<double, 2> busyUs{};
    for (size_t i = 0; i < busyUs.size(); ++i) std::memcpy(&busyUs.at(i), all[i].data(), sizeof(double));
    const auto GBpsOf = [](double us) { return static_cast<double>(kTotalBytes) / us / 1e3; };
    return {GBpsOf(medianOf(times)), GBpsOf(busyUs[0] / kIterations), GBpsOf(busyUs[1] / kIterations)};
  }

 private:
  static constexpr unsigned kData = 3, kDone = 4;
  static constexpr uint64_t kLayers = 16;
  static constexpr size_t kInFlight = 64;

  struct Message {
    std::vector<ucp_dt_iov_t> pieces;  // all of one size
    std::vector<uint64_t> targets;     // the header of the message: where they go
    std::vector<std::byte> staging;
    bool isFree = true;
  };

  static void require(ucs_status_t status) {
    if (status != UCS_OK) throw ucxError("bare UCX", status);
  }
  static double cpuUs() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
  }
  void progress() {
    const double startUs = cpuUs();
    if (ucx().ucp_worker_progress(worker_) != 0) busyUs_ += cpuUs() - startUs;
  }

  void createContext() {
    ucp_config_t* config = nullptr;
    require(ucx().ucp_config_read(nullptr, nullptr, &config));
    const auto set = [&](const std::string& name, const char* value) {
      require(ucx().ucp_config_modify(config, name.c_str(), value));
    };
    set("TLS", "tcp");
    set("NET_DEVICES", "lo");
    unsigned major = 0, minor = 0, release = 0;
    ucx().ucp_get_version(&major, &minor, &release);
    const bool prefixed = UCP_VERSION(major, minor) >= UCP_VERSION(1, 17);
    for (const auto& [name, value] : variant_.settings) {
      const std::string full = name;
      set(!prefixed && full.starts_with("TCP_") ? full.substr(4) : full, value);
    }
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM;
    require(ucx().ucp_init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &context_));
    ucx().ucp_config_release(config);
  }

  void handle(unsigned id, ucp_am_recv_callback_t callback) {
    ucp_am_handler_param_t handler{};
    handler.field_mask =
        UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
    handler.id = id;
    handler.cb = callback;
    handler.arg = this;
    require(ucx().ucp_worker_set_am_recv_handler(worker_, &handler));
  }

  // Of a Message: its pieces, one behind the other.
  void createPacked() {
    ucp_generic_dt_ops_t operations{};
    operations.start_pack = [](void*, const void* buffer, size_t) { return const_cast<void*>(buffer); };
    operations.packed_size = [](void* state) {
      const auto& pieces = static_cast<const Message*>(state)->pieces;
      return pieces.size() * pieces[0].length;
    };
    operations.pack = [](void* state, size_t offset, void* target, size_t bytes) {
      const auto& pieces = static_cast<const Message*>(state)->pieces;
      const size_t each = pieces[0].length;
      for (size_t done = 0; done < bytes;) {
        const size_t at = offset + done, inside = at % each, now = std::min(bytes - done, each - inside);
        std::memcpy(static_cast<std::byte*>(target) + done,
                    static_cast<const std::byte*>(pieces[at / each].buffer) + inside, now);
        done += now;
      }
      return bytes;
    };
    operations.finish = [](void*) {};
    operations.start_unpack = [](void*, void* buffer, size_t) { return buffer; };
    operations.unpack = [](void*, size_t, const void*, size_t) { return UCS_ERR_UNSUPPORTED; };
    require(ucx().ucp_dt_create_generic(&operations, nullptr, &packed_));
  }

  void connect() {
    ucp_address_t* address = nullptr;
    size_t bytes = 0;
    require(ucx().ucp_worker_get_address(worker_, &address, &bytes));
    const auto all = exchange_.allgather({reinterpret_cast<const uint8_t*>(address), bytes}, 0);
    ucx().ucp_worker_release_address(worker_, address);
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
    params.err_mode = UCP_ERR_HANDLING_MODE_PEER;  // as the network module, which names a peer that is lost
    params.address = reinterpret_cast<const ucp_address_t*>(all[1 - exchange_.rank()].data());
    require(ucx().ucp_ep_create(worker_, &params, &endpoint_));
  }

  // Layer by layer at the source, all layers of a page side by side at the target.
  uint64_t targetOf(uint64_t piece) const {
    if (variant_.send == PieceSend::kContiguous) return piece * pieceBytes_;
    const uint64_t perLayer = kTotalBytes / pieceBytes_ / kLayers;
    return (piece % perLayer * kLayers + piece / perLayer) * pieceBytes_;
  }

  void sendAll() {
    messages_.resize(kInFlight);
    const uint64_t pieces = kTotalBytes / pieceBytes_;
    const uint64_t perMessage = std::min<uint64_t>(variant_.piecesPerMessage, kMessageBytes / pieceBytes_);
    const auto isFree = [](const Message& one) { return one.isFree; };
    for (uint64_t first = 0; first < pieces; first += perMessage) {
      auto message = std::ranges::find_if(messages_, isFree);
      for (; message == messages_.end(); message = std::ranges::find_if(messages_, isFree)) progress();
      const double startUs = cpuUs();
      message->isFree = false;
      message->pieces.clear();
      message->targets.clear();
      for (uint64_t i = first; i < std::min(first + perMessage, pieces); ++i) {
        message->pieces.push_back({memory_.data() + i * pieceBytes_, pieceBytes_});
        message->targets.push_back(targetOf(i));
      }
      send(*message);
      busyUs_ += cpuUs() - startUs;
    }
    while (!std::ranges::all_of(messages_, isFree)) progress();
  }

  void send(Message& message) {
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS |
                         UCP_OP_ATTR_FIELD_DATATYPE;
    param.flags = UCP_AM_SEND_FLAG_REPLY;
    param.datatype = ucp_dt_make_contig(1);
    param.cb.send = [](void* request, ucs_status_t, void* user) {
      static_cast<Message*>(user)->isFree = true;
      ucx().ucp_request_free(request);
    };
    param.user_data = &message;
    const void* buffer = message.pieces[0].buffer;
    size_t count = pieceBytes_ * message.pieces.size();
    if (variant_.send == PieceSend::kGather) {
      message.staging.resize(kMessageBytes);
      for (size_t i = 0; i < message.pieces.size(); ++i)
        std::memcpy(message.staging.data() + i * pieceBytes_, message.pieces[i].buffer, pieceBytes_);
      buffer = message.staging.data();
    } else if (variant_.send == PieceSend::kPack) {
      param.datatype = packed_;
      buffer = &message;
      count = 1;
    } else if (message.pieces.size() > 1) {
      param.datatype = ucp_dt_make_iov();
      buffer = message.pieces.data();
      count = message.pieces.size();
    }
    const ucs_status_ptr_t sent = ucx().ucp_am_send_nbx(endpoint_, kData, message.targets.data(),
                                                        message.targets.size() * 8, buffer, count, &param);
    if (sent == nullptr) message.isFree = true;
    if (UCS_PTR_IS_ERR(sent)) require(UCS_PTR_STATUS(sent));
  }

  void receiveAll() {
    while (arrivedBytes_ < kTotalBytes) progress();
    arrivedBytes_ = 0;
    const ucp_request_param_t none{};
    const ucs_status_ptr_t sent = ucx().ucp_am_send_nbx(endpoint_, kDone, nullptr, 0, "", 0, &none);
    while (UCS_PTR_IS_PTR(sent) && ucx().ucp_request_check_status(sent) == UCS_INPROGRESS) progress();
    if (UCS_PTR_IS_PTR(sent)) ucx().ucp_request_free(sent);
  }

  static ucs_status_t onData(void* stream, const void* header, size_t headerBytes, void* data, size_t bytes,
                             const ucp_am_recv_param_t* param) {
    auto& self = *static_cast<PieceStream*>(stream);
    const auto* targets = static_cast<const uint64_t*>(header);
    const size_t pieces = headerBytes / sizeof(uint64_t);
    if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0) {
      self.post(data, self.memory_.data() + targets[0], bytes);
      return UCS_INPROGRESS;
    }
    const size_t each = bytes / pieces;
    for (size_t i = 0; i < pieces; ++i) {
      std::byte* target = self.memory_.data() + targets[i];
      const std::byte* source = static_cast<const std::byte*>(data) + i * each;
      if (self.variant_.receive == PieceReceive::kStream) {
        streamCopy(target, source, each);
      } else {
        std::memcpy(target, source, each);
      }
    }
    self.arrivedBytes_ += bytes;
    return UCS_OK;
  }

  // Only benchmarks receive by rendezvous, so that the module's table of functions lacks this one.
  void post(void* data, std::byte* target, size_t bytes) {
    static const auto receive = reinterpret_cast<decltype(&::ucp_am_recv_data_nbx)>(
        dlsym(dlopen("libucp.so.0", RTLD_NOW | RTLD_LOCAL), "ucp_am_recv_data_nbx"));
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
    param.cb.recv_am = [](void* request, ucs_status_t, size_t length, void* self) {
      static_cast<PieceStream*>(self)->arrivedBytes_ += length;
      ucx().ucp_request_free(request);
    };
    param.user_data = this;
    const ucs_status_ptr_t status = receive(worker_, data, target, bytes, &param);
    if (status == nullptr) arrivedBytes_ += bytes;
    if (UCS_PTR_IS_ERR(status)) require(UCS_PTR_STATUS(status));
  }

  test::HubExchange& exchange_;
  const PieceVariant& variant_;
  const uint64_t pieceBytes_;
  std::vector<std::byte> memory_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  ucp_datatype_t packed_ = 0;
  std::deque<Message> messages_;
  uint64_t arrivedBytes_ = 0;
  int done_ = 0;
  double busyUs_ = 0;
};

}  // namespace railrunner::bench
