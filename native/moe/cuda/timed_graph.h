#pragma once

#include <cuda_runtime_api.h>

#include <memory>

#include "device/cuda/cuda_handles.h"

namespace railrunner::moe::cuda {

// Work of a stream as a CUDA graph whose replay is timed.
class TimedGraph {
 public:
  // Captures what `queue` puts on the stream; nothing of it runs yet.
  template <class Queue>
  TimedGraph(cudaStream_t stream, Queue&& queue) : stream_(stream) {
    using railrunner::cuda::check;
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    try {
      queue();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      graph_.reset(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    graph_.reset(graph);
    cudaGraphExec_t replay = nullptr;
    check(cudaGraphInstantiate(&replay, graph, 0), "cudaGraphInstantiate");
    replay_.reset(replay);
    check(cudaGraphUpload(replay, stream), "cudaGraphUpload");
  }

  void replay() const { railrunner::cuda::check(cudaGraphLaunch(replay_.get(), stream_), "cudaGraphLaunch"); }
  // The timed one; a replay() before it covers its launch.
  void replayTimed() const {
    begin_.record(stream_);
    replay();
    end_.record(stream_);
  }
  // Of the replay timed last, once the stream has come past it.
  double timeUs() const {
    float ms = 0;
    railrunner::cuda::check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(ms) * 1e3;
  }

 private:
  struct DestroyGraph {
    void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
  };
  struct DestroyReplay {
    void operator()(cudaGraphExec_t replay) const { cudaGraphExecDestroy(replay); }
  };

  const cudaStream_t stream_;
  railrunner::cuda::Event begin_{railrunner::cuda::Event::Use::kTime};
  railrunner::cuda::Event end_{railrunner::cuda::Event::Use::kTime};
  std::unique_ptr<CUgraph_st, DestroyGraph> graph_;
  std::unique_ptr<CUgraphExec_st, DestroyReplay> replay_;
};

}  // namespace railrunner::moe::cuda
