#pragma once

#include <cstdint>
#include <type_traits>

namespace railrunner {

// Any gate that core/sampler.h accepts, by reference: code that is compiled once (a transfer, a collective)
// takes the world's gate, or a test's, without being a template of it. A gate is passed outside the timed
// span.
class GateRef {
 public:
  // Never of a GateRef: a copy must name the same gate, not the copy that it was made of.
  template <class Gate>
  requires(!std::is_same_v<std::remove_cv_t<Gate>, GateRef>) explicit GateRef(Gate& gate)
      : self_(&gate),
        arrive_([](void* self, uint32_t stopWord) { return static_cast<Gate*>(self)->arrive(stopWord); }),
        fail_([](void* self) { static_cast<Gate*>(self)->fail(); }),
        lastSkewUs_([](void* self) { return static_cast<Gate*>(self)->lastSkewUs(); }) {}

  uint32_t arrive(uint32_t stopWord) { return arrive_(self_, stopWord); }
  double lastSkewUs() { return lastSkewUs_(self_); }
  void fail() { fail_(self_); }

 private:
  void* self_;
  uint32_t (*arrive_)(void*, uint32_t);
  void (*fail_)(void*);
  double (*lastSkewUs_)(void*);
};

// The gate of a single rank.
class SoloGate {
 public:
  uint32_t arrive(uint32_t stopWord) { return stopWord; }
  double lastSkewUs() { return 0.0; }
  void fail() {}
};

}  // namespace railrunner
