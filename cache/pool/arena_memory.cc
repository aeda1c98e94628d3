#include "cache/pool/arena_memory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/kernel_status.h"
#include "cache/pool/address_range.h"
#include "kernels/device_memory.h"

namespace qvg {
namespace {

class HostMemory : public ArenaMemory {
 public:
  explicit HostMemory(AddressRange range) : range_(std::move(range)) {}

  uint8_t* base() const override { return range_.base(); }
  void Clear(uint8_t* begin, int64_t bytes) const override {
    AddressRange::Release(begin, bytes);
  }

 private:
  AddressRange range_;
};

class DeviceMemory : public ArenaMemory {
 public:
  DeviceMemory(kernels::DeviceBuffer buffer, kernels::CudaStream stream)
      : buffer_(std::move(buffer)), stream_(stream) {}

  uint8_t* base() const override {
    return static_cast<uint8_t*>(buffer_.data());
  }
  void Clear(uint8_t* begin, int64_t bytes) const override {
    // Fails only on a device that is lost: whoever uses it next will hear.
    (void)kernels::FillDevice(begin, 0, static_cast<size_t>(bytes), stream_);
  }

 private:
  kernels::DeviceBuffer buffer_;
  kernels::CudaStream stream_;
};

absl::StatusOr<std::unique_ptr<ArenaMemory>> OnDevice(
    int64_t bytes, kernels::CudaStream stream) {
  kernels::DeviceBuffer buffer;
  kernels::Error error = kernels::CheckForDevice();
  if (error.ok()) error = buffer.Allocate(static_cast<size_t>(bytes));
  if (error.ok()) {
    error = kernels::FillDevice(buffer.data(), 0, static_cast<size_t>(bytes),
                                stream);
  }
  if (error.ok()) {
    return std::make_unique<DeviceMemory>(std::move(buffer), stream);
  }
  const absl::Status status = ToStatus(error);
  return absl::Status(
      status.code(),
      absl::StrCat(bytes, " bytes of a device: ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ArenaMemory>> MakeArenaMemory(
    const kernels::MemorySpace& space, int64_t bytes) {
  if (space.on_device()) return OnDevice(bytes, space.stream);
  absl::StatusOr<AddressRange> range = AddressRange::Reserve(bytes);
  if (!range.ok()) return range.status();
  return std::make_unique<HostMemory>(*std::move(range));
}

}  // namespace qvg
