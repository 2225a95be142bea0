// HTML text, for reports, pages and e-mail.
#pragma once

#include <string>
#include <string_view>

namespace koi {

// `text` as it may stand between tags or in a quoted attribute.
std::string escaped_html(std::string_view text);

}  // namespace koi
