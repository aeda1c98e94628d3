#ifndef CLIENT_STATUS_H_
#define CLIENT_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace qvg {

// The same code and message; the delay of a google.rpc.RetryInfo, if the
// server sent one, is added to the message ("retry in 2.5s").
absl::Status FromGrpc(const grpc::Status& status);

// "INVALID_ARGUMENT: bits is 3; ...": one line, whatever the message holds.
std::string OneLine(const absl::Status& status);

}  // namespace qvg

#endif  // CLIENT_STATUS_H_
