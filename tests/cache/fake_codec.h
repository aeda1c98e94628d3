#ifndef TESTS_CACHE_FAKE_CODEC_H_
#define TESTS_CACHE_FAKE_CODEC_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "cache/codec/codec.h"
#include "cache/kernel_status.h"
#include "cache/unpacked_block.h"
#include "kernels/device_memory.h"

namespace qvg {

// Stores BF16 rows, then the seed, then `extra` bytes: enough to see what was
// packed, when and under which name. Fails on demand.
class FakeCodec : public Codec {
 public:
  explicit FakeCodec(int64_t extra = 0) : extra_(extra) {}

  void FailWith(absl::Status status) { failure_ = std::move(status); }

  int64_t SpanBytes(const SpanShape& shape) const override {
    return Block(shape).bytes() + sizeof(uint64_t) + extra_;
  }

  size_t WorkspaceBytes(const SpanShape& shape,
                        const kernels::Executor&) const override {
    return static_cast<size_t>(shape.tokens);
  }

  absl::Status Encode(const SpanShape& shape,
                      absl::Span<const kernels::KvSegment> layers,
                      uint64_t seed, absl::Span<uint8_t> out,
                      absl::Span<uint8_t> workspace,
                      const kernels::Executor& executor) const override {
    if (!failure_.ok()) return failure_;
    if (static_cast<int64_t>(out.size()) != SpanBytes(shape) ||
        workspace.size() != WorkspaceBytes(shape, executor) ||
        static_cast<int>(layers.size()) != shape.layers) {
      return absl::InternalError("sizes");
    }
    const kernels::Error filled =
        kernels::Fill(workspace.data(), 0xee, workspace.size(), executor);
    if (!filled.ok()) return ToStatus(filled);
    const UnpackedBlock block = Block(shape);
    for (int layer = 0; layer < shape.layers; ++layer) {
      if (layers[layer].keys.tokens != shape.tokens) {
        return absl::InternalError("tokens");
      }
      const kernels::TokenCopy copies[] = {
          block.CopyOf(layers[layer].keys, layer, 0, 0, out.data()),
          block.CopyOf(layers[layer].values, layer, 1, 0, out.data())};
      const kernels::Error error = kernels::CopyTokens(copies, 2, executor);
      if (!error.ok()) return ToStatus(error);
    }
    if (executor.on_device()) {
      return ToStatus(kernels::CopyToDevice(
          &seed, sizeof(seed), out.data() + block.bytes(), executor.stream()));
    }
    std::memcpy(out.data() + block.bytes(), &seed, sizeof(seed));
    return absl::OkStatus();
  }

  kernels::KvSegment View(const SpanShape& shape, int layer,
                          absl::Span<const uint8_t> bytes) const override {
    return Block(shape).View(bytes.data(), layer, 0, shape.tokens);
  }

  static uint64_t SeedOf(const SpanShape& shape,
                         absl::Span<const uint8_t> bytes) {
    uint64_t seed = 0;
    std::memcpy(&seed, bytes.data() + Block(shape).bytes(), sizeof(seed));
    return seed;
  }

 private:
  static UnpackedBlock Block(const SpanShape& shape) {
    return {shape, ElementType::kBf16};
  }

  int64_t extra_;
  absl::Status failure_;
};

}  // namespace qvg

#endif  // TESTS_CACHE_FAKE_CODEC_H_
