#ifndef SERVER_RPC_LIBRARY_LOGS_H_
#define SERVER_RPC_LIBRARY_LOGS_H_

namespace qvg {

// Sends what gRPC has to complain about to our log, as warnings, from now on
// or not at all, and silences Protobuf, whose complaints are about bytes of
// clients. For the whole process.
void RouteLibraryLogs(bool shown);

}  // namespace qvg

#endif  // SERVER_RPC_LIBRARY_LOGS_H_
