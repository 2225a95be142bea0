// Opt-out: what people write back who want no more messages.
#pragma once

#include <string_view>

namespace koi::channel {

// The whole of `text` says so: "T", "TD", "退订", "STOP", …; case, blanks and a full stop around it
// do not matter. A sentence that merely holds such a word does not.
bool is_opt_out(std::string_view text);

}  // namespace koi::channel
