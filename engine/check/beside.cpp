#include "check/beside.h"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace koi::check {

namespace fs = std::filesystem;

ReadBeside beside_on_disk(const std::vector<Source>& sources) {
  return [&sources](std::uint32_t source, const std::string& name) -> std::optional<std::string> {
    const fs::path path = fs::path(name).lexically_normal();
    if (path.empty() || path.is_absolute() || *path.begin() == "..") return std::nullopt;
    const fs::path file = fs::path(sources[source].path()).parent_path() / path;
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return std::nullopt;
    if (const auto size = fs::file_size(file, error); error || size > most_bytes_beside)
      return std::nullopt;
    std::ifstream in(file, std::ios::binary);
    if (!in) return std::nullopt;
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (in.bad()) return std::nullopt;
    return text;
  };
}

}  // namespace koi::check
