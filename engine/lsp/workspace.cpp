#include "lsp/workspace.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/hash.h"
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
  if (of.edited != path) of.only_edited = false;
  of.edited = path;
  of.looked = false;
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
    of.only_edited = false;
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
  of.only_edited = of.has_meaning = false;
  of.program.sources.clear();
  of.changed.clear();
}

void Workspace::parse(Program& program, std::size_t number) const {
  program.sources[number] = Source(program.paths[number], read(program.paths[number]).value_or(""));
  lang::Parsed parsed =
      lang::parse(program.sources[number], static_cast<std::uint32_t>(number), language_);
  program.trees[number] = std::move(parsed.file);
  program.syntax[number] = std::move(parsed.diagnostics);
}

void Workspace::parse_changed(Kept& of) const {
  Program& program = of.program;
  if (program.sources.size() != program.paths.size()) {
    program.sources.assign(program.paths.size(), Source("", ""));
    program.trees.assign(program.paths.size(), {});
    program.syntax.assign(program.paths.size(), {});
    for (std::size_t i = 0; i < program.paths.size(); ++i) parse(program, i);
  } else {
    std::sort(of.changed.begin(), of.changed.end());
    of.changed.erase(std::unique(of.changed.begin(), of.changed.end()), of.changed.end());
    for (const std::string& changed : of.changed)
      if (const auto number = program.number(changed)) parse(program, *number);
  }
  of.changed.clear();
}

// As they are before any is allowed.
std::vector<Diagnostic> Workspace::look_at(const Program& program, std::uint32_t source) const {
  std::vector<Diagnostic> found =
      check::check_one(program.trees, source, language_, check::beside_on_disk(program.sources));
  found.insert(found.end(), program.syntax[source].begin(), program.syntax[source].end());
  sort_and_unique(found);
  return found;
}

void Workspace::bring_up_to_date(Kept& of, const std::string& path) {
  if (!of.files_known) find_files(of, path);
  if (of.checked) return;
  parse_changed(of);
  Program& program = of.program;
  check::Checked checked =
      check::check(program.trees, language_, nullptr, check::beside_on_disk(program.sources));
  program.meaning = std::move(checked.program);
  program.diagnostics = std::move(checked.diagnostics);
  for (const auto& each : program.syntax)
    program.diagnostics.insert(program.diagnostics.end(), each.begin(), each.end());
  sort_and_unique(program.diagnostics);

  const auto edited = program.number(of.edited);
  of.only_edited = edited.has_value();
  of.of_the_whole.clear();
  if (edited) {
    const std::vector<Diagnostic> seen = look_at(program, *edited);
    for (const Diagnostic& each : program.diagnostics)
      if (each.span.source == *edited &&
          std::none_of(seen.begin(), seen.end(), [&](const Diagnostic& other) {
            return each.span == other.span && each.code == other.code &&
                   each.message == other.message;
          }))
        of.of_the_whole.push_back(each);
  }
  check::silence(program.diagnostics, program.sources, program.trees, language_);
  program.uses_.reset();
  of.checked = of.has_meaning = true;
}

const Program& Workspace::program_at_hand(const std::string& path) {
  Kept& of = kept(path);
  if (of.files_known) take_edits(of);
  if (!of.files_known || !of.has_meaning) bring_up_to_date(of, path);
  return of.program;
}

namespace {

// Where a text stands behind an edit: what is before it and behind it keeps its distance from the
// beginning and from the end; of what is within nothing is known.
class Edited {
 public:
  Edited(std::string_view before, std::string_view after) : source_size_(before.size()) {
    const std::size_t most = std::min(before.size(), after.size());
    while (head_ < most && before[head_] == after[head_]) ++head_;
    while (tail_ < most - head_ &&
           before[before.size() - 1 - tail_] == after[after.size() - 1 - tail_])
      ++tail_;
    moved_ = static_cast<std::int64_t>(after.size()) - static_cast<std::int64_t>(before.size());
  }
  bool move(SourceSpan& span) const {
    if (span.end <= head_) return true;
    if (span.begin < source_size_ - tail_) return false;
    span.begin = static_cast<std::uint32_t>(span.begin + moved_);
    span.end = static_cast<std::uint32_t>(span.end + moved_);
    return true;
  }

 private:
  std::size_t source_size_ = 0, head_ = 0, tail_ = 0;
  std::int64_t moved_ = 0;
};

// All that a file declares for others to build on, as it is written.
Hash128 ground_of(const Source& source, const lang::ast::File& tree) {
  HashInput hash;
  for (const auto& declaration : tree.declarations)
    std::visit(
        [&](const auto& each) {
          using Each = std::decay_t<decltype(each)>;
          if constexpr (!std::is_same_v<Each, lang::ast::CampaignDecl> &&
                        !std::is_same_v<Each, lang::ast::ContentDecl> &&
                        !std::is_same_v<Each, lang::ast::TestDecl>)
            hash.text(source.slice(each.span));
        },
        declaration);
  return hash.hash128();
}

}  // namespace

// The changed files are read again, and what the whole program said of the edited one moves along.
void Workspace::take_edits(Kept& of) const {
  if (of.changed.empty()) return;
  const auto edited = of.program.number(of.edited);
  of.only_edited = of.only_edited && edited.has_value();
  if (!of.only_edited) {
    of.has_meaning = false;
    return parse_changed(of);
  }
  const Source& source = of.program.sources[*edited];
  const std::string before(source.text());
  const Hash128 ground = ground_of(source, of.program.trees[*edited]);
  parse_changed(of);
  if (ground_of(source, of.program.trees[*edited]) != ground) of.has_meaning = false;
  const Edited edit(before, source.text());
  const auto is_lost = [&](SourceSpan& span) { return span.source == *edited && !edit.move(span); };
  std::erase_if(of.of_the_whole, [&](Diagnostic& each) {
    std::erase_if(each.labels, [&](Label& label) { return is_lost(label.span); });
    return is_lost(each.span);
  });
}

std::optional<Workspace::FirstLook> Workspace::first_look() {
  Kept* stale = nullptr;
  for (auto& [folder, of] : programs_) {
    if (of.checked) continue;
    if (stale != nullptr) return std::nullopt;
    stale = &of;
  }
  if (stale == nullptr || !stale->only_edited || !stale->files_known) return std::nullopt;
  const auto source = stale->program.number(stale->edited);
  if (!source || (stale->changed.empty() && stale->looked)) return std::nullopt;
  take_edits(*stale);
  stale->looked = true;
  FirstLook found{&stale->program, *source, look_at(stale->program, *source)};
  found.diagnostics.insert(found.diagnostics.end(), stale->of_the_whole.begin(),
                           stale->of_the_whole.end());
  sort_and_unique(found.diagnostics);
  check::silence(found.diagnostics, stale->program.sources,
                 std::span(&stale->program.trees[*source], 1), language_);
  return found;
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
