#pragma once

#include "bench/moe_cuda_inputs.cuh"

// One GPU of the benchmark: its memory, calls and checks against a reference on the CPU.
struct CheckedRank {
  World& w;
  const Case& c;
  uint32_t rank;
  LaunchShape launch;
  KernelArguments args{};
  cudaStream_t stream{};
  uint32_t epoch = 0;
  std::byte* buffer{};
  uint64_t** tables{};
  uint64_t generation = 0;
  uint32_t* epochBase{};
  WaitControl* control{};
  char* flush{};
  std::vector<void*> owned;
  std::string label;
  static constexpr uint64_t kFlushBytes = 256ULL << 20;

  CheckedRank(World& world, const Case& theCase, uint32_t r, LaunchShape shape)
      : w(world), c(theCase), rank(r), launch(shape) {}

  template <class T>
  T* array(uint64_t count) {
    T* p = deviceArray<T>(count);
    owned.push_back(p);
    return p;
  }

  void open() {
    const Shape& s = c.shape;
    CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    args.shape = s;
    args.map = bufferMap(s, launch.slices);
    args.rank = rank;
    args.slices = launch.slices;
    args.phases = kSend | kReceive;
    buffer = array<std::byte>(args.map.totalBytes);
    w.bases[rank] = buffer;
    w.tables[rank] = array<uint64_t>(64);
    CUDA(cudaHostAlloc(&control, sizeof(WaitControl), cudaHostAllocMapped));
    std::memset(control, 0, sizeof(WaitControl));
    CUDA(cudaHostGetDevicePointer(&args.control, control, 0));
    epochBase = array<uint32_t>(1);
    tables = array<uint64_t*>(64);
    flush = array<char>(kFlushBytes);
    args.result.x = array<uint8_t>(s.resultRows() * s.payloadRowBytes());
    args.result.scales = array<float>(s.resultRows() * s.numScales());
    args.result.count = array<int32_t>(std::max(s.numLocalExperts(), s.worldSize));
    args.result.sourceToken = array<int32_t>(s.resultRows());
    args.result.layoutRange = array<uint64_t>(static_cast<uint64_t>(s.numLocalExperts()) * s.worldSize);
    args.result.messageCount = array<int32_t>(s.worldSize);
    args.result.messageToken = array<int32_t>(s.maxReceivedTokens());
    args.result.messageRow = array<int32_t>(static_cast<uint64_t>(s.maxReceivedTokens()) * s.numTopk);
    args.result.messageWeight = array<float>(static_cast<uint64_t>(s.maxReceivedTokens()) * s.numTopk);
    args.result.tokenCount = array<int32_t>(s.worldSize);
    args.result.ownRow = array<int32_t>(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.numTopk);
    args.x = array<uint16_t>(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.paddedHidden());
    args.topkIdx = array<int32_t>(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.numTopk);
    args.topkWeights = array<float>(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.numTopk);
    args.y = array<uint16_t>(s.resultRows() * s.paddedHidden());
    args.out = array<uint16_t>(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.paddedHidden());
    CUDA(cudaDeviceSynchronize());
    w.meet.arrive_and_wait();
    for (uint32_t peer = 0; peer < w.size; ++peer) {
      args.to[peer] = w.bases[peer] + blockOffset(args.map, rank);
      args.from[peer] = buffer + blockOffset(args.map, peer);
    }
    CUDA(cudaMemcpy(tables, w.tables.data(), w.size * sizeof(uint64_t*), cudaMemcpyHostToDevice));
    w.meet.arrive_and_wait();
  }

  void close() {
    sync();
    w.meet.arrive_and_wait();
    for (void* p : owned) CUDA(cudaFree(p));
    CUDA(cudaFreeHost(control));
    CUDA(cudaStreamDestroy(stream));
    w.meet.arrive_and_wait();
  }

  void sync() {
    for (int waited = 0; cudaStreamQuery(stream) == cudaErrorNotReady; ++waited) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      if (waited == 100'000 || control->failed != 0) {
        control->abort = 1;
        CUDA(cudaStreamSynchronize(stream));
        std::fprintf(stderr, "rank %u: wait ended: rank %u missing %u index %u epoch %u (at %u)\n", rank,
                     control->rank, control->missing, control->index, control->epoch, epoch);
        std::_Exit(124);
      }
    }
    CUDA(cudaStreamSynchronize(stream));
  }

  void load(uint32_t salt) {
    w.inputs[rank] = makeInputs(c, rank, salt);
    const Inputs& in = w.inputs[rank];
    args.numTokens = in.numTokens;
    CUDA(cudaMemcpy(const_cast<uint16_t*>(args.x), in.x.data(), in.x.size() * 2, cudaMemcpyHostToDevice));
    CUDA(cudaMemcpy(const_cast<int32_t*>(args.topkIdx), in.ids.data(), in.ids.size() * 4,
                    cudaMemcpyHostToDevice));
    CUDA(cudaMemcpy(const_cast<float*>(args.topkWeights), in.weights.data(), in.weights.size() * 4,
                    cudaMemcpyHostToDevice));
    CUDA(cudaStreamSynchronize(nullptr));
    fillRows<<<1024, 256, 0, stream>>>(const_cast<uint16_t*>(args.y), c.shape.resultRows(),
                                       c.shape.paddedHidden(), salt, rank);
    sync();
    w.meet.arrive_and_wait();
  }

  void barrier() {
    ++generation;
    barrierKernel<<<1, 64, 0, stream>>>(tables, rank, w.size, generation);
  }

  void dispatch(bool split = false) {
    args.sendBlocks = launch.dispatchSendBlocks;
    args.groups = launch.dispatchGroups;
    args.epoch = ++epoch;
    args.epochBase = nullptr;
    if (split) {
      args.phases = kSend;
      launchDispatch(args, launch.dispatchBlocks, stream);
      args.phases = kReceive;
      launchDispatch(args, launch.dispatchBlocks, stream);
      args.phases = kSend | kReceive;
    } else {
      launchDispatch(args, launch.dispatchBlocks, stream);
    }
  }
  void combine(bool split = false) {
    args.sendBlocks = launch.combineSendBlocks;
    args.groups = launch.combineGroups;
    args.epoch = ++epoch;
    args.epochBase = nullptr;
    if (split) {
      args.phases = kSend;
      launchCombine(args, launch.combineBlocks, stream);
      args.phases = kReceive;
      launchCombine(args, launch.combineBlocks, stream);
      args.phases = kSend | kReceive;
    } else {
      launchCombine(args, launch.combineBlocks, stream);
    }
  }

  void poison() {
    const Shape& s = c.shape;
    CUDA(cudaMemset(args.result.x, 0x7f, s.resultRows() * s.payloadRowBytes()));
    CUDA(cudaMemset(args.result.sourceToken, 0x7f, s.resultRows() * 4));
    CUDA(cudaMemset(args.result.count, 0x7f, 4ULL * std::max(s.numLocalExperts(), s.worldSize)));
    CUDA(cudaMemset(args.out, 0x7f, 2ULL * s.maxDispatchTokensPerRank * s.paddedHidden()));
    CUDA(cudaDeviceSynchronize());
  }

  void bad(const char* what, uint64_t a, uint64_t b, uint64_t got, uint64_t expected) {
    if (w.wrong.fetch_add(1) < 8) {
      std::printf("WRONG %s rank %u: %s (%lu, %lu) got %lx expected %lx\n", c.name, rank, what, a, b, got,
                  expected);
    }
  }

  void checkRow(const uint8_t* x, const float* scales, uint64_t row, uint32_t source, uint32_t token) {
    const Shape& s = c.shape;
    const uint16_t* sent = w.inputs[source].x.data() + static_cast<uint64_t>(token) * s.paddedHidden();
    w.checked += s.paddedHidden();
    if (s.payload == DispatchDtype::kBf16) {
      if (std::memcmp(x + row * s.payloadRowBytes(), sent, s.payloadRowBytes()) != 0) {
        bad("payload", source, token, x[row * s.payloadRowBytes()], sent[0]);
      }
      return;
    }
    for (uint32_t block = 0; block < s.numScales(); ++block) {
      float amax = 0;
      for (uint32_t i = 0; i < 128; ++i) amax = std::max(amax, std::fabs(bf16ToFloat(sent[block * 128 + i])));
      const BlockScale scale = blockScale(amax, s.roundScale);
      if (scales[row * s.numScales() + block] != scale.scale) {
        bad("scale", source, token, bitsOfFloat(scales[row * s.numScales() + block]),
            bitsOfFloat(scale.scale));
        return;
      }
      for (uint32_t i = 0; i < 128; ++i) {
        const uint8_t code = floatToE4m3(bf16ToFloat(sent[block * 128 + i]) * scale.multiplier);
        const uint8_t got = x[row * s.payloadRowBytes() + block * 128 + i];
        if (got != code) return bad("code", source, token, got, code);
      }
    }
  }

  void check() {
    const Shape& s = c.shape;
    const uint32_t numLocal = s.numLocalExperts();
    const bool rankMajor = s.outputLayout == OutputLayout::kRankMajor;
    const auto count = fetched(args.result.count, rankMajor ? s.worldSize : numLocal);
    const auto x = fetched(args.result.x, s.resultRows() * s.payloadRowBytes());
    const auto scales = fetched(args.result.scales, s.resultRows() * s.numScales());
    const auto tokens = fetched(args.result.sourceToken, s.resultRows());
    const auto ranges = fetched(args.result.layoutRange,
                                rankMajor ? s.worldSize : static_cast<uint64_t>(numLocal) * s.worldSize);
    auto& rowOf = w.rowOf[rank];
    rowOf.assign(static_cast<uint64_t>(s.maxReceivedTokens()) * s.numTopk, -1);
    const uint32_t groups = rankMajor ? 1 : numLocal;
    for (uint32_t group = 0; group < groups; ++group) {
      int64_t total = 0;
      for (uint32_t source = 0; source < s.worldSize; ++source) {
        const Inputs& in = w.inputs[source];
        std::vector<uint32_t> expected;
        for (uint32_t t = 0; t < in.numTokens; ++t) {
          bool hit = false;
          for (uint32_t k = 0; k < s.numTopk; ++k) {
            const int32_t id = in.ids[t * s.numTopk + k];
            hit = hit || (id >= 0 && static_cast<uint32_t>(id) / numLocal == rank &&
                          (rankMajor || static_cast<uint32_t>(id) % numLocal == group));
          }
          if (hit) expected.push_back(t);
        }
        const uint64_t range =
            ranges[rankMajor ? source : static_cast<uint64_t>(group) * s.worldSize + source];
        const auto n = static_cast<uint32_t>(range);
        const auto begin = static_cast<uint32_t>(range >> 32);
        if (n != expected.size()) {
          bad("range", group, source, n, expected.size());
          continue;
        }
        total += n;
        if (rankMajor && count[source] != static_cast<int32_t>(n)) bad("count", source, 0, count[source], n);
        const uint64_t first =
            rankMajor ? begin : static_cast<uint64_t>(group) * s.maxReceivedTokens() + begin;
        std::vector<uint32_t> found;
        for (uint32_t i = 0; i < n; ++i) {
          const auto token = static_cast<uint32_t>(tokens[first + i]);
          found.push_back(token);
          if (token >= in.numTokens) continue;
          checkRow(x.data(), scales.data(), first + i, source, token);
          for (uint32_t k = 0; k < s.numTopk; ++k) {
            const int32_t id = in.ids[token * s.numTopk + k];
            if (id >= 0 && static_cast<uint32_t>(id) / numLocal == rank &&
                (rankMajor || static_cast<uint32_t>(id) % numLocal == group)) {
              rowOf[(static_cast<uint64_t>(source) * s.maxDispatchTokensPerRank + token) * s.numTopk + k] =
                  static_cast<int32_t>(first + i);
            }
          }
        }
        std::sort(found.begin(), found.end());
        if (found != expected) bad("tokens", group, source, found.empty() ? 0 : found[0], 0);
      }
      if (!rankMajor && count[group] != total) bad("count", group, 0, count[group], total);
    }
  }

  void checkCombined(uint32_t salt) {
    w.meet.arrive_and_wait();
    const Shape& s = c.shape;
    const bool rankMajor = s.outputLayout == OutputLayout::kRankMajor;
    const Inputs& in = w.inputs[rank];
    const auto out = fetched(args.out, static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.paddedHidden());
    std::vector<float> sum(s.paddedHidden());
    std::vector<float> partial(s.paddedHidden());
    for (uint32_t t = 0; t < in.numTokens; ++t) {
      std::fill(sum.begin(), sum.end(), 0.0F);
      for (uint32_t host = 0; host < (s.dedup ? s.worldSize : 1); ++host) {
        std::fill(partial.begin(), partial.end(), 0.0F);
        bool any = false;
        for (uint32_t k = 0; k < s.numTopk; ++k) {
          const int32_t id = in.ids[t * s.numTopk + k];
          if (id < 0) continue;
          const uint32_t at = static_cast<uint32_t>(id) / s.numLocalExperts();
          if (s.dedup && at != host) continue;
          const int32_t row =
              w.rowOf[at][(static_cast<uint64_t>(rank) * s.maxDispatchTokensPerRank + t) * s.numTopk + k];
          if (rankMajor && any) continue;
          any = true;
          const uint32_t base = rowBase(salt, at, static_cast<uint64_t>(row));
          const float weight = rankMajor ? 1.0F : in.weights[t * s.numTopk + k];
          for (uint32_t col = 0; col < s.paddedHidden(); ++col) {
            partial[col] =
                addRounded(partial[col], multiplyRounded(weight, bf16ToFloat(payloadElement(base, col))));
          }
        }
        if (s.dedup && !any) continue;
        for (uint32_t col = 0; col < s.paddedHidden(); ++col) {
          sum[col] = s.dedup ? addRounded(sum[col], bf16ToFloat(floatToBf16(partial[col]))) : partial[col];
        }
      }
      w.checked += s.paddedHidden();
      for (uint32_t col = 0; col < s.paddedHidden(); ++col) {
        const uint16_t got = out[static_cast<uint64_t>(t) * s.paddedHidden() + col];
        if (got != floatToBf16(sum[col])) {
          bad("combined", t, col, got, floatToBf16(sum[col]));
          break;
        }
      }
    }
    for (uint32_t t = in.numTokens; t < s.maxDispatchTokensPerRank; ++t) {
      if (out[static_cast<uint64_t>(t) * s.paddedHidden()] != 0x7f7f) bad("guard", t, 0, 0, 0x7f7f);
    }
    w.meet.arrive_and_wait();
  }

  void verify(uint32_t salt, bool split) {
    load(salt);
    poison();
    w.meet.arrive_and_wait();
    dispatch(split);
    sync();
    check();
    w.meet.arrive_and_wait();
    combine(split);
    sync();
    checkCombined(salt);
  }
};
