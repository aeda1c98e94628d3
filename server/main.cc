#include "server/generator/registry.h"
#include "server/startup.h"

int main(int argc, char** argv) {
  return qvg::RunServer(argc, argv, qvg::BuiltInModels());
}
