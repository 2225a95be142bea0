// The beginnings of paths that several files know.
#pragma once

#include <string_view>

namespace koi::serve {

constexpr std::string_view v1_customers = "/v1/customers/";

}  // namespace koi::serve
