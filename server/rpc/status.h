#ifndef SERVER_RPC_STATUS_H_
#define SERVER_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace qvg {

// Longest message that a client is sent, in bytes.
inline constexpr size_t kMaxStatusMessage = 1024;

// The one place where a status becomes one of gRPC: codes are the same, the
// message is cut at kMaxStatusMessage, and a RetryDelay becomes
// google.rpc.RetryInfo in grpc-status-details-bin.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace qvg

#endif  // SERVER_RPC_STATUS_H_
