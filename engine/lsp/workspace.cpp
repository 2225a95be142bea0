#include "lsp/workspace.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "check/beside.h"
#include "check/silence.h"
#include "lang/parse.h"

namespace koi::lsp {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_entries = 200'000;  // of a folder, so that no root is walked for ever
constexpr std::size_t most_files = 20'000;

bool is_koi(const fs::path& path) { return path.extension() == ".koi"; }

bool is_within(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

bool has_koi_files(const fs::path& folder) {
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (++seen > most_entries || is_koi(at->path())) return seen <= most_entries;
  return false;
}

}  // namespace

std::optional<std::uint32_t> Program::number(std::string_view path) const {
  const auto found = std::lower_bound(paths.begin(), paths.end(), path);
  if (found == paths.end() || *found != path) return std::nullopt;
  return static_cast<std::uint32_t>(found - paths.begin());
}

const std::vector<check::Use>& Program::uses(Language language) const {
  if (!uses_) {
    uses_.emplace();
    check::check(trees, language, &*uses_, check::beside_on_disk(sources));
  }
  return *uses_;
}

void Workspace::set_language(Language language) { language_ = language; }

void Workspace::add_root(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  roots_.push_back(std::move(folder));
  programs_.clear();
}

void Workspace::open(const std::string& path, std::string text) {
  const bool is_new = buffers_.insert_or_assign(path, std::move(text)).second;
  Kept& of = kept(path);
  // A file that was not there yet is one more of its program.
  if (is_new && !of.program.number(path)) of.files_known = false;
  of.changed.push_back(path);
  of.checked = false;
}

void Workspace::close(const std::string& path) {
  if (buffers_.erase(path) == 0) return;
  changed_on_disk(path);
}

const std::string* Workspace::buffer(const std::string& path) const {
  const auto found = buffers_.find(path);
  return found == buffers_.end() ? nullptr : &found->second;
}

void Workspace::changed_on_disk(const std::string& path) {
  // Folders' borders may have moved with it.
  for (auto& [folder, of] : programs_) {
    if (!is_within(path, folder) && folder != path) continue;
    of.files_known = false;
    of.changed.push_back(path);
    of.checked = false;
  }
}

std::string Workspace::folder_of(const std::string& path) const {
  if (path.empty() || path.front() != '/') return path;
  std::string root;
  for (const std::string& each : roots_)
    if (is_within(path, each) && each.size() > root.size()) root = each;
  const fs::path own = fs::path(path).parent_path();
  if (root.empty()) return own.string();
  fs::path best = own;
  for (fs::path at = own; at.string().size() >= root.size(); at = at.parent_path()) {
    if (has_koi_files(at)) best = at;
    if (!at.has_relative_path()) break;
  }
  return best.string();
}

Workspace::Kept& Workspace::kept(const std::string& path) {
  for (auto& [folder, of] : programs_)
    if (of.program.number(path)) return of;
  std::string folder = folder_of(path);
  Kept& of = programs_[folder];
  of.program.folder = std::move(folder);
  return of;
}

std::optional<std::string> Workspace::read(const std::string& path) const {
  if (const std::string* text = buffer(path)) return *text;
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text(lang::most_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

// Lists the program's files anew; those that are still there keep their trees unless their numbers
// have moved.
void Workspace::find_files(Kept& of, const std::string& path) {
  const std::string& folder = of.program.folder;
  std::vector<std::string> found;
  if (!folder.empty() && folder.front() == '/') {
    std::error_code error;
    std::size_t seen = 0;
    for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
      if (++seen > most_entries || found.size() >= most_files) break;
      std::error_code ignored;
      const std::string name = at->path().filename().string();
      if (name.starts_with('.')) {
        if (at->is_directory(ignored)) at.disable_recursion_pending();
      } else if (is_koi(at->path()) && at->is_regular_file(ignored)) {
        found.push_back(at->path().string());
      }
    }
    for (const auto& [open_path, text] : buffers_)
      if (is_within(open_path, folder) && is_koi(open_path)) found.push_back(open_path);
  }
  if (buffers_.count(path) != 0) found.push_back(path);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  of.files_known = true;
  if (found == of.program.paths) return;
  of.program.paths = std::move(found);
  of.program.sources.clear();
  of.changed.clear();
}

void Workspace::bring_up_to_date(Kept& of, const std::string& path) {
  if (!of.files_known) find_files(of, path);
  if (of.checked) return;
  Program& program = of.program;
  const auto parse = [&](std::size_t i) {
    program.sources[i] = Source(program.paths[i], read(program.paths[i]).value_or(""));
    lang::Parsed parsed = lang::parse(program.sources[i], static_cast<std::uint32_t>(i), language_);
    program.trees[i] = std::move(parsed.file);
    program.syntax[i] = std::move(parsed.diagnostics);
  };
  if (program.sources.size() != program.paths.size()) {
    program.sources.assign(program.paths.size(), Source("", ""));
    program.trees.assign(program.paths.size(), {});
    program.syntax.assign(program.paths.size(), {});
    for (std::size_t i = 0; i < program.paths.size(); ++i) parse(i);
  } else {
    std::sort(of.changed.begin(), of.changed.end());
    of.changed.erase(std::unique(of.changed.begin(), of.changed.end()), of.changed.end());
    for (const std::string& changed : of.changed)
      if (const auto number = program.number(changed)) parse(*number);
  }
  of.changed.clear();
  check::Checked checked =
      check::check(program.trees, language_, nullptr, check::beside_on_disk(program.sources));
  program.meaning = std::move(checked.program);
  program.diagnostics = std::move(checked.diagnostics);
  for (const auto& each : program.syntax)
    program.diagnostics.insert(program.diagnostics.end(), each.begin(), each.end());
  sort_and_unique(program.diagnostics);
  check::silence(program.diagnostics, program.sources, program.trees, language_);
  program.uses_.reset();
  of.checked = true;
}

const Program& Workspace::program_of(const std::string& path) {
  Kept& of = kept(path);
  bring_up_to_date(of, path);
  return of.program;
}

std::vector<const Program*> Workspace::programs() {
  std::vector<const Program*> all;
  for (const auto& [path, text] : buffers_) {
    const Program* of = &program_of(path);
    if (std::find(all.begin(), all.end(), of) == all.end()) all.push_back(of);
  }
  return all;
}

bool Workspace::is_stale() const {
  return std::any_of(programs_.begin(), programs_.end(),
                     [](const auto& each) { return !each.second.checked; });
}

}  // namespace koi::lsp
