#include "serve/page.h"

#include <charconv>
#include <string>

namespace koi::serve {

Result<std::size_t> limit_of(const net::Headers& query, std::size_t most, std::size_t usual) {
  const std::string* const said = net::find(query, "limit");
  if (!said) return usual;
  std::size_t limit = 0;
  const char* const end = said->data() + said->size();
  const auto read = std::from_chars(said->data(), end, limit);
  if (read.ec != std::errc() || read.ptr != end || limit == 0 || limit > most)
    return Error{"usage", "`limit` is a whole number from 1 to " + std::to_string(most)};
  return limit;
}

}  // namespace koi::serve
