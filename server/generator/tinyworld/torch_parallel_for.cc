#include "server/generator/tinyworld/torch_parallel_for.h"

#include <ATen/Parallel.h>

namespace qvg::tinyworld {

int TorchParallelFor::workers() const { return at::get_num_threads(); }

void TorchParallelFor::Run(int64_t items, RawBody body, const void* context) {
  at::parallel_for(0, items, 1, [&](int64_t begin, int64_t end) {
    const int worker = at::get_thread_num();
    for (int64_t item = begin; item < end; ++item) body(context, item, worker);
  });
}

}  // namespace qvg::tinyworld
