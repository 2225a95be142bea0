// What the two files that see libcurl share.
#pragma once

#include "base/time.h"

namespace koi::net {

// Makes libcurl ready; again it does nothing. Any thread.
void start_curl();

// As libcurl takes spans: whole milliseconds, at least one.
long milliseconds(Duration span);

}  // namespace koi::net
