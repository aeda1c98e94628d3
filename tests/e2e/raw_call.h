#ifndef TESTS_E2E_RAW_CALL_H_
#define TESTS_E2E_RAW_CALL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "qvg/v1/session.pb.h"

namespace qvg::e2e {

struct RawAnswer {
  absl::Status status;
  std::vector<v1::StreamResponse> responses;
};

// Calls SessionService.Stream with messages of any bytes whatever, one by
// one, leaves the stream open and waits for the server to end it (20 s at
// most).
RawAnswer CallStream(const std::string& address,
                     const std::vector<std::string>& messages);

}  // namespace qvg::e2e

#endif  // TESTS_E2E_RAW_CALL_H_
