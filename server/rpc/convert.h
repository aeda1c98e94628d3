#ifndef SERVER_RPC_CONVERT_H_
#define SERVER_RPC_CONVERT_H_

#include "absl/status/statusor.h"
#include "qvg/v1/server.pb.h"
#include "qvg/v1/session.pb.h"
#include "qvg/v1/types.pb.h"
#include "server/session/dispatcher.h"
#include "server/session/messages.h"

namespace qvg {

// Between the wire and what the session layer knows. Conversions of requests
// name the field that has no meaning; what is out of bounds is the session
// layer's business.
absl::StatusOr<StartRequest> FromProto(const v1::Start& start);
ActionRequest FromProto(const v1::Action& action);
PromptRequest FromProto(const v1::Prompt& prompt);

void ToProto(const Message& message, v1::StreamResponse* response);
void ToProto(const CacheSpec& spec, v1::CacheSpec* proto);
void ToProto(const SessionLimits& limits, const ModelInfo& model,
             v1::SessionLimits* proto);
// `session_bytes`: upper bound of a session with everything at its default.
void ToProto(const ModelInfo& model, int64_t session_bytes, v1::Model* proto);
void ToProto(const SessionSummary& summary, const ModelInfo& model,
             v1::SessionSummary* proto);

}  // namespace qvg

#endif  // SERVER_RPC_CONVERT_H_
