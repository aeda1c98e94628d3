#include "server/rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include "server/log/log.h"

namespace qvg {
namespace {

void Drop(gpr_log_func_args*) {}

void Show(gpr_log_func_args* line) {
  if (line->severity == GPR_LOG_SEVERITY_ERROR) {
    LogWarning("grpc: ", line->message);
  }
}

}  // namespace

void RouteLibraryLogs(bool shown) {
  gpr_set_log_function(shown ? Show : Drop);
  google::protobuf::SetLogHandler(nullptr);
}

}  // namespace qvg
