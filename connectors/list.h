// The connectors that are built in.
#pragma once

#include "channel/connector.h"

namespace koi::connectors {

channel::ConnectorTypes all();

}  // namespace koi::connectors
