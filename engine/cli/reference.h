// The reference pages that are derived from code: words, diagnostics, events, functions, commands,
// connectors; and the
// grammar by which editors colour files.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace koi::cli {

struct Page {
  std::string file;  // its name in the folder
  std::string text;
};

// All pages, the same bytes wherever they are made. `app` has all commands with their options.
std::vector<Page> reference(const CLI::App& app);

}  // namespace koi::cli
