// What a request is answered that is not done, in one form for all of them.
#pragma once

#include <string_view>

#include "net/server.h"

namespace koi::serve {

// {"error": CODE, "message": WHAT}
net::Answer refused(int status, std::string_view code, std::string_view what);

}  // namespace koi::serve
