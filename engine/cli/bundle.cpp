#include "cli/bundle.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "check/beside.h"
#include "deploy/files.h"

namespace koi::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest_package = std::size_t{256} << 20;
constexpr std::size_t longest_text = std::size_t{1} << 20;

Result<std::string> read(const std::string& path, std::size_t longest) {
  KOI_LET(auto bytes, deploy::read_whole(path, longest));
  if (!bytes) return Error{"unreadable", "`" + path + "` is not there"};
  return *std::move(bytes);
}

}  // namespace

bool is_package(const std::string& path) { return path.ends_with(".koib"); }

Result<deploy::Package> read_package(const std::string& path) {
  KOI_LET(const std::string bytes, read(path, longest_package));
  return deploy::decode_package(bytes, "`" + path + "`");
}

Result<deploy::KeyRing> read_keys(const std::string& path) {
  KOI_LET(const std::string text, read_text(path));
  return deploy::KeyRing::parse(text, "`" + path + "`");
}

Result<std::string> read_text(const std::string& path) { return read(path, longest_text); }

Result<std::string> read_token(const std::string& file) {
  if (file.empty()) {
    const char* token = std::getenv("KOI_TOKEN");
    return std::string(token ? token : "");
  }
  const auto text = read_text(file);
  const std::string token = text ? text->substr(0, text->find('\n')) : "";
  if (token.empty())
    return Error{"token", "`" + file + "` has no token in its first line; put one there"};
  return token;
}

std::vector<std::string> names_of(const std::vector<Source>& sources) {
  std::vector<fs::path> paths;
  for (const Source& source : sources)
    paths.push_back(fs::absolute(source.path()).lexically_normal());
  fs::path common = paths.front().parent_path();
  for (const fs::path& path : paths)
    while (path.lexically_relative(common).begin()->string() == "..") common = common.parent_path();
  std::vector<std::string> names;
  for (const fs::path& path : paths)
    names.push_back(path.lexically_relative(common).generic_string());
  return names;
}

std::vector<deploy::Bundle::File> files_of(const LoadedProgram& program) {
  const std::vector<Source>& sources = program.sources;
  const std::vector<std::string> names = names_of(sources);
  std::vector<deploy::Bundle::File> files;
  for (std::size_t i = 0; i < sources.size(); ++i)
    files.push_back({names[i], std::string(sources[i].text())});
  const check::ReadBeside read = check::beside_on_disk(sources);
  std::set<std::string> beside;
  for (const check::Audience& audience : program.program.audiences) {
    const auto name = deploy::name_beside(names[audience.span.source], audience.file);
    if (!name || !beside.insert(*name).second) continue;
    if (auto text = read(audience.span.source, audience.file))
      files.push_back({*name, *std::move(text)});
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

}  // namespace koi::cli
