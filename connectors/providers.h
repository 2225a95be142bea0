// The pretend providers that the tests of the connectors bring, by connector.
#pragma once

#include <memory>
#include <vector>

#include "channel/connector.h"
#include "channel/provider.h"

namespace koi::connectors {

struct Tried {
  const channel::ConnectorType* type;
  std::unique_ptr<channel::Provider> (*provider)();
};
std::vector<Tried> tried();

}  // namespace koi::connectors
