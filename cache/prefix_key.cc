#include "cache/prefix_key.h"

#include "cache/sha256.h"

namespace qvg {
namespace {

// Eight bytes, little-endian.
std::string Integer(uint64_t value) {
  std::string bytes(8, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  return bytes;
}

// Fields that each carry their length, so that no two lists of fields read
// the same. The first one tells what they are for.
class Fields {
 public:
  explicit Fields(absl::string_view purpose) {
    Add("qvg.prefix_key.v1");
    Add(purpose);
  }

  Fields& Add(absl::string_view field) {
    bytes_.append(Integer(field.size()));
    bytes_.append(field.data(), field.size());
    return *this;
  }
  Fields& Add(uint64_t value) { return Add(Integer(value)); }
  Fields& Add(const Sha256Digest& digest) {
    return Add(absl::string_view(reinterpret_cast<const char*>(digest.data()),
                                 digest.size()));
  }

  Sha256Digest Hash() const { return Sha256(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace

PrefixKey PrefixKey::Root(absl::string_view model_fingerprint,
                          absl::string_view cache_spec, uint64_t seed,
                          int steps, absl::string_view prompt) {
  PrefixKey key;
  key.digest_ = Fields("root")
                    .Add(model_fingerprint)
                    .Add(cache_spec)
                    .Add(seed)
                    .Add(static_cast<uint64_t>(steps))
                    .Add(prompt)
                    .Hash();
  return key;
}

PrefixKey PrefixKey::Next(absl::string_view inputs) const {
  PrefixKey key;
  key.digest_ = Fields("next").Add(digest_).Add(inputs).Hash();
  return key;
}

uint64_t PrefixKey::Derive(absl::string_view purpose, uint64_t index) const {
  const Sha256Digest digest =
      Fields("derive").Add(digest_).Add(purpose).Add(index).Hash();
  uint64_t seed = 0;
  for (int i = 7; i >= 0; --i) seed = seed << 8 | digest[i];
  return seed;
}

std::string PrefixKey::Hex() const { return qvg::Hex(digest_); }

}  // namespace qvg
