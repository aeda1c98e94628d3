#ifndef SERVER_GENERATOR_CODEBOOKS_H_
#define SERVER_GENERATOR_CODEBOOKS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/codec/opq_tables.h"
#include "cache/kv_layout.h"
#include "server/generator/checkpoint/safetensors.h"

namespace qvg {

// Whether `file` holds codebooks of the codec opq. Names and shapes of their
// tensors are in cache/codec/format.md.
bool HasCodebooks(const Safetensors& file);

// The codebooks of a model of `layout`, stored as BF16 or FP32. DATA_LOSS
// names a tensor that is missing or does not fit.
absl::StatusOr<std::unique_ptr<OpqTables>> ReadCodebooks(
    const Safetensors& file, const KvLayout& layout);

// Writes them as BF16 to a file of their own. Errors of WriteSafetensors.
absl::Status WriteCodebooks(const std::string& path, const OpqTables& tables,
                            const KvLayout& layout,
                            const std::map<std::string, std::string>& metadata);

}  // namespace qvg

#endif  // SERVER_GENERATOR_CODEBOOKS_H_
