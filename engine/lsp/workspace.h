// Workspace: the programs that an editor has open. Texts come from its buffers, or else from disk;
// what is known of a program is made anew when somebody asks after a change.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/source.h"
#include "check/check.h"
#include "lang/ast.h"

namespace koi::lsp {

// A program as it stands. Source numbers are places in all the lists.
struct Program {
  std::string folder;
  std::vector<std::string> paths;
  std::vector<Source> sources;
  std::vector<lang::ast::File> trees;
  std::vector<std::vector<Diagnostic>> syntax;  // what parsing said, by source
  check::Program meaning;
  std::vector<Diagnostic> diagnostics;  // all, sorted

  std::optional<std::uint32_t> number(std::string_view path) const;
  // The uses of all names; made when they are first asked for.
  const std::vector<check::Use>& uses(Language language) const;

  mutable std::optional<std::vector<check::Use>> uses_;
};

// Not for several threads. Files that cannot be read are taken as not there.
class Workspace {
 public:
  void set_language(Language language);
  void add_root(std::string folder);

  // A buffer stands for the file of that path until it is closed.
  void open(const std::string& path, std::string text);
  void close(const std::string& path);
  const std::string* buffer(const std::string& path) const;
  // Something else has changed that file, made it or deleted it.
  void changed_on_disk(const std::string& path);

  // The program that the file belongs to, up to date: its folder is the topmost one on the way up
  // to the root that has .koi files directly in it. A path that is no file's is a program alone.
  const Program& program_of(const std::string& path);
  // The same for what is asked at every key: texts and trees are up to date, and so is what is
  // declared, but for contents, campaigns and tests.
  const Program& program_at_hand(const std::string& path);
  // All programs that have a buffer in them, up to date.
  std::vector<const Program*> programs();

  // What is wrong in a file of which nothing but its text has changed since the program was whole:
  // known long before the rest of a large program is. What only the whole program tells of that
  // file is as it was, moved along with the text. Nothing where there is no such file, or where
  // this was asked since the last edit: then all programs are to be brought up to date.
  struct FirstLook {
    const Program* program = nullptr;
    std::uint32_t source = 0;
    std::vector<Diagnostic> diagnostics;  // sorted
  };
  std::optional<FirstLook> first_look();
  bool is_stale() const;

 private:
  struct Kept {
    Program program;
    bool files_known = false;
    std::vector<std::string> changed;  // paths
    bool checked = false;
    bool has_meaning = false;  // what is declared is as it was when the program was whole
    // The file that was edited last, as long as nothing else changes, and what the whole program
    // said of it beyond what one look says.
    std::string edited;
    bool only_edited = false;
    bool looked = false;  // at it, since the last edit
    std::vector<Diagnostic> of_the_whole;
  };
  std::string folder_of(const std::string& path) const;
  Kept& kept(const std::string& path);
  void find_files(Kept& kept, const std::string& path);
  void bring_up_to_date(Kept& kept, const std::string& path);
  void parse_changed(Kept& kept) const;
  void take_edits(Kept& kept) const;
  void parse(Program& program, std::size_t number) const;
  std::vector<Diagnostic> look_at(const Program& program, std::uint32_t source) const;
  std::optional<std::string> read(const std::string& path) const;

  Language language_ = Language::English;
  std::vector<std::string> roots_;
  std::map<std::string, std::string> buffers_;  // by path
  std::map<std::string, Kept> programs_;        // by folder
};

}  // namespace koi::lsp
