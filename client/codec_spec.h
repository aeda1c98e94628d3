#ifndef CLIENT_CODEC_SPEC_H_
#define CLIENT_CODEC_SPEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "qvg/v1/types.pb.h"

namespace qvg {

// Parses "CODEC[:FIELD=VALUE,...]", for instance "qvg:bits=4,block=32" or
// "bf16:unpacked=f32"; the fields are those of v1::CacheSpec. Ranges are the
// server's business. INVALID_ARGUMENT names the field at fault.
absl::StatusOr<v1::CacheSpec> ParseCodecSpec(absl::string_view text);

// The inverse: every set field, in the order of v1::CacheSpec.
std::string CodecSpecText(const v1::CacheSpec& spec);

}  // namespace qvg

#endif  // CLIENT_CODEC_SPEC_H_
