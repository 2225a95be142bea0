#include "program.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/hash.h"
#include "base/source.h"
#include "check/check.h"
#include "compile/compile.h"
#include "lang/parse.h"

namespace koi::simulator {

namespace {

Source read(const std::string& name) {
  const std::string path = std::string(KOI_SIMULATOR_PROGRAMS) + "/" + name + ".koi";
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return Source(path, text.str());
}

Program compiled(const std::string& name) {
  const std::vector<Source> sources{read("shop"), read(name)};
  std::vector<lang::ast::File> trees;
  std::vector<Diagnostic> diagnostics;
  HashInput all;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    auto parsed = lang::parse(sources[i], static_cast<std::uint32_t>(i), Language::English);
    diagnostics.insert(diagnostics.end(), parsed.diagnostics.begin(), parsed.diagnostics.end());
    trees.push_back(std::move(parsed.file));
    all.text(sources[i].text());
  }
  const check::Checked checked = check::check(trees, Language::English);
  diagnostics.insert(diagnostics.end(), checked.diagnostics.begin(), checked.diagnostics.end());
  for (const Diagnostic& diagnostic : diagnostics) {
    std::fprintf(stderr, "%s\n", render(diagnostic, sources, Language::English).c_str());
    if (diagnostic.severity == Severity::Error) std::exit(2);
  }
  return {name, compile::compile(checked.program, 1), all.hash64()};
}

}  // namespace

const std::vector<Program>& programs() {
  static const std::vector<Program> all = [] {
    std::vector<Program> made;
    for (const char* name : {"carts", "welcome", "figures"}) made.push_back(compiled(name));
    return made;
  }();
  return all;
}

}  // namespace koi::simulator
