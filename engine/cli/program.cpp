#include "cli/program.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "check/beside.h"
#include "check/check.h"
#include "check/silence.h"
#include "lang/parse.h"

namespace koi::cli {

namespace fs = std::filesystem;

namespace {

Error unreadable(const fs::path& path, const std::string& why) {
  return {"unreadable", "`" + path.string() + "` cannot be read: " + why};
}

// The .koi files beneath a folder; what begins with a dot is passed over, and links to folders are
// not followed.
Result<void> gather(const fs::path& folder, std::vector<fs::path>& files) {
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.')) {
      if (at->is_directory(ignored)) at.disable_recursion_pending();
    } else if (name.ends_with(".koi") && at->is_regular_file(ignored)) {
      files.push_back(at->path());
    }
  }
  if (error) return unreadable(folder, error.message());
  return {};
}

Result<std::string> read_file(const fs::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return unreadable(path, errno != 0 ? std::strerror(errno) : "it cannot be opened");
  // A byte more than a file may have, so that the parser can say that it is too large.
  std::string text(lang::most_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return unreadable(path, errno != 0 ? std::strerror(errno) : "the disk failed");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return Error{"nothing",
                 "`" + path.string() + "` is empty; write declarations into it, or remove it"};
  return text;
}

}  // namespace

Result<std::vector<Source>> load_sources(const std::vector<std::string>& paths) {
  std::vector<fs::path> files;
  for (const std::string& given : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(given, error);
    if (!fs::exists(status))
      return unreadable(given, error && error != std::errc::no_such_file_or_directory
                                   ? error.message()
                                   : "no such file or folder");
    if (fs::is_directory(status)) {
      const std::size_t before = files.size();
      if (auto gathered = gather(given, files); !gathered) return gathered.error();
      if (files.size() == before)
        return Error{"nothing", "`" + given + "` has no .koi files in it; `koi init " + given +
                                    "` makes some"};
    } else if (!fs::is_regular_file(status)) {
      return unreadable(given, "it is no regular file");
    } else if (!given.ends_with(".koi")) {
      return Error{"nothing", "`" + given + "` is no .koi file; a program's files end in .koi"};
    } else {
      files.emplace_back(given);
    }
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });

  std::vector<Source> sources;
  std::set<fs::path> seen;
  for (const fs::path& path : files) {
    std::error_code error;
    const fs::path whole = fs::weakly_canonical(path, error);
    if (!seen.insert(error ? path : whole).second) continue;
    KOI_LET(std::string text, read_file(path));
    sources.emplace_back(path.string(), std::move(text));
  }
  return sources;
}

Result<LoadedProgram> load_program(const std::vector<std::string>& paths, Language language) {
  LoadedProgram loaded;
  KOI_LET(loaded.sources, load_sources(paths));
  for (std::size_t i = 0; i < loaded.sources.size(); ++i) {
    lang::Parsed parsed = lang::parse(loaded.sources[i], static_cast<std::uint32_t>(i), language);
    std::move(parsed.diagnostics.begin(), parsed.diagnostics.end(),
              std::back_inserter(loaded.diagnostics));
    loaded.trees.push_back(std::move(parsed.file));
  }
  check::Checked checked =
      check::check(loaded.trees, language, nullptr, check::beside_on_disk(loaded.sources));
  std::move(checked.diagnostics.begin(), checked.diagnostics.end(),
            std::back_inserter(loaded.diagnostics));
  loaded.program = std::move(checked.program);
  sort_and_unique(loaded.diagnostics);
  check::silence(loaded.diagnostics, loaded.sources, loaded.trees, language);
  for (const Diagnostic& diagnostic : loaded.diagnostics)
    ++(diagnostic.severity == Severity::Error ? loaded.errors : loaded.warnings);
  return loaded;
}

std::string render(const LoadedProgram& program, Language language, bool json) {
  std::string out;
  for (const Diagnostic& diagnostic : program.diagnostics)
    out += json ? render_json(diagnostic, program.sources) + "\n"
                : koi::render(diagnostic, program.sources, language) + "\n";
  return out;
}

}  // namespace koi::cli
