#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "cli/command.h"
#include "cli/reference.h"
#include "runtime/sink.h"

namespace koi::cli {

namespace {

namespace fs = std::filesystem;

struct DocsOptions {
  std::string folder;
  bool compare = false;
};

// Empty where there is no such file: no page is.
std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// What stands there, or does not, other than the code would write it.
std::vector<std::string> differences(const fs::path& folder, const std::vector<Page>& pages) {
  std::vector<std::string> found;
  for (const Page& page : pages)
    if (read(folder / page.file) != page.text) found.push_back(page.file);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_page = std::any_of(pages.begin(), pages.end(),
                                     [&](const Page& page) { return page.file == name; });
    if (name.ends_with(".md") && !is_page) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

int docs(const CLI::App& app, const DocsOptions& options) {
  const std::vector<Page> pages = reference(app);
  const fs::path folder = options.folder;
  if (options.compare) {
    std::string out;
    for (const std::string& name : differences(folder, pages))
      out += (folder / name).string() + " is not what the code writes\n";
    return print(out, out.empty() ? Done : Findings);
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return trouble("`" + options.folder + "` cannot be made: " + error.message());
  for (const Page& page : pages) {
    runtime::Sink file;
    auto written = file.open((folder / page.file).string());
    if (written) written = file.write(page.text);
    if (written) written = file.close();
    if (!written) return trouble(written.error().what);
  }
  return Done;
}

}  // namespace

std::function<int()> add_docs(CLI::App& app) {
  auto options = std::make_shared<DocsOptions>();
  app.add_option("folder", options->folder, "The folder that the pages are written to")->required();
  app.add_flag("--check", options->compare, "Only says which pages are not what the code writes");
  return [&app, options] { return docs(*app.get_parent(), *options); };
}

}  // namespace koi::cli
