#ifndef SERVER_SESSION_GENERATOR_H_
#define SERVER_SESSION_GENERATOR_H_

#include <thread>

#include "server/generator/video_model.h"
#include "server/session/dispatcher.h"

namespace qvg {

// The thread that alone calls Open and Advance of the model. It takes what the
// dispatcher decides, chunk by chunk, and never waits for a client or an
// encoder.
class Generator {
 public:
  // Both outlive the generator.
  Generator(VideoModel* model, Dispatcher* dispatcher);
  // Waits for the chunk under way; Dispatcher::Shutdown comes first.
  ~Generator();

 private:
  void Loop();
  void Open(Session& session);
  void Run(GeneratorWork work);

  VideoModel* model_;
  Dispatcher* dispatcher_;
  std::thread thread_;
};

}  // namespace qvg

#endif  // SERVER_SESSION_GENERATOR_H_
