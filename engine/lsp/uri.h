// file:///… and paths.
#pragma once

#include <string>
#include <string_view>

namespace koi::lsp {

// The path of a file's address, percent-signs resolved; any other address as it is.
std::string path_of(std::string_view uri);
// The address of an absolute path; anything else as it is.
std::string uri_of(std::string_view path);

}  // namespace koi::lsp
