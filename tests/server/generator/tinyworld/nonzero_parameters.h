#ifndef TESTS_SERVER_GENERATOR_TINYWORLD_NONZERO_PARAMETERS_H_
#define TESTS_SERVER_GENERATOR_TINYWORLD_NONZERO_PARAMETERS_H_

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "server/generator/tinyworld/parameters.h"

namespace qvg::tinyworld {

// A model that does something: initial parameters without the matrices that
// begin at zero. Always the same one.
inline Parameters NonzeroParameters() {
  Parameters p = InitialParameters(1);
  const at::Generator generator = at::detail::createCPUGenerator(1);
  p.attention_out.uniform_(-0.06, 0.06, generator);
  p.mlp_down.uniform_(-0.03, 0.03, generator);
  p.head.uniform_(-0.06, 0.06, generator);
  return p;
}

}  // namespace qvg::tinyworld

#endif  // TESTS_SERVER_GENERATOR_TINYWORLD_NONZERO_PARAMETERS_H_
