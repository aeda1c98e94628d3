#ifndef KERNELS_PARALLEL_FOR_H_
#define KERNELS_PARALLEL_FOR_H_

#include <cstdint>
#include <type_traits>

namespace qvg::kernels {

// Runs independent items, possibly on several threads. Kernels cut their work
// into items by shape alone and never by workers(), so that the number of
// threads cannot change a bit of the result.
class ParallelFor {
 public:
  virtual ~ParallelFor() = default;

  // Workers that may call a body at the same time; at least 1. Workspaces are
  // sized by it.
  virtual int workers() const = 0;

  // Calls body(item, worker) once for every item in [0, items) and returns
  // when all calls have; worker is in [0, workers()). `body` must not throw.
  template <typename Body>
  void operator()(int64_t items, const Body& body) {
    Run(
        items,
        [](const void* context, int64_t item, int worker) {
          (*static_cast<const Body*>(context))(item, worker);
        },
        &body);
  }

 protected:
  using RawBody = void (*)(const void* context, int64_t item, int worker);
  virtual void Run(int64_t items, RawBody body, const void* context) = 0;
};

// Runs every item on the calling thread.
class SerialFor : public ParallelFor {
 public:
  int workers() const override { return 1; }

 protected:
  void Run(int64_t items, RawBody body, const void* context) override {
    for (int64_t i = 0; i < items; ++i) body(context, i, 0);
  }
};

}  // namespace qvg::kernels

#endif  // KERNELS_PARALLEL_FOR_H_
