// The formatter over every program at hand: the examples, the tests of the rules, the golden cases
// that can be read, the design's samples, and generated ones (KOI_WORLDS names a folder). Each is
// also written anew in any other layout, with comments anywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "check/check.h"
#include "compile/compile.h"
#include "format/format.h"
#include "lang/characters.h"
#include "lang/lexer.h"
#include "lang/parse.h"
#include "plan/listing.h"

namespace koi {
namespace {

namespace fs = std::filesystem;
using lang::Kind;

struct File {
  std::string path;
  std::string text;
};
// The files of a folder are one program, or each is one of its own.
using Program = std::vector<File>;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  const auto all = text.str();
  const auto output = all.find("\n=====\n");  // of a golden case
  return output == all.npos ? all : all.substr(0, output + 1);
}

Program files_of(const fs::path& folder) {
  Program found;
  std::error_code none;
  for (const auto& each : fs::directory_iterator(folder, none)) {
    if (each.path().extension() == ".koi")
      found.push_back({each.path().string(), read(each.path())});
  }
  std::sort(found.begin(), found.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
  return found;
}

std::vector<Program> programs() {
  std::vector<Program> all;
  if (const char* worlds = std::getenv("KOI_WORLDS")) {
    for (const auto& file : files_of(worlds)) all.push_back({file});
    return all;
  }
  for (const auto& each : fs::directory_iterator("rules-examples")) all.push_back(files_of(each));
  for (const char* folder :
       {"tests/rules", "tests/golden/check", "tests/golden/parse", "tests/golden/plan"}) {
    for (const auto& file : files_of(folder)) all.push_back({file});
  }
  auto samples = files_of("../shared/design/samples");
  if (samples.empty()) std::cout << "the design's samples are not at hand: passed over\n";
  all.push_back(std::move(samples));
  return all;
}

std::string errors_of(const std::string& text) {
  const std::vector<Source> sources{Source("a.koi", text)};
  std::string all;
  for (const auto& each : lang::parse(sources[0], 0, Language::English).diagnostics) {
    all += render(each, sources);
  }
  return all;
}
bool can_be_read(const std::string& text) { return errors_of(text).empty(); }

// What is compiled of the program; empty where it has errors.
std::string plan_of(const Program& program) {
  std::vector<lang::ast::File> trees;
  for (std::size_t i = 0; i < program.size(); ++i) {
    trees.push_back(lang::parse(Source(program[i].path, program[i].text),
                                static_cast<std::uint32_t>(i), Language::English)
                        .file);
  }
  const auto checked = check::check(trees, Language::English);
  return checked.ok() ? plan::listing(compile::compile(checked.program, 1)) : std::string();
}

std::string formatted(const std::string& text, const format::Options& options) {
  const auto done = format::format(Source("a.koi", text), 0, Language::English, options);
  EXPECT_TRUE(done.done) << text;
  return done.text;
}

Program formatted(const Program& program, std::optional<Language> into) {
  format::Options options{.into = into, .declared = {}};
  for (const auto& file : program)
    format::add_declared(Source(file.path, file.text), options.declared);
  Program made;
  for (const auto& file : program) {
    made.push_back({file.path, can_be_read(file.text) ? formatted(file.text, options) : file.text});
  }
  return made;
}

bool operator==(const File& a, const File& b) { return a.text == b.text; }
std::ostream& operator<<(std::ostream& out, const File& file) { return out << file.text; }

bool in_one_language(const File& file) {
  const auto lexed = lang::lex(Source(file.path, file.text), 0, Language::English);
  bool english = false, chinese = false;
  for (const auto& token : lexed.tokens) {
    if (!lang::is_keyword(token.kind)) continue;
    (static_cast<unsigned char>(file.text[token.begin]) < 0x80 ? english : chinese) = true;
  }
  return !(english && chinese);
}

TEST(Formatting, ChangesNothingThatIsCompiledAndNothingTheSecondTime) {
  std::size_t plans = 0, files = 0;
  for (const auto& program : programs()) {
    if (program.empty()) continue;
    SCOPED_TRACE(program.front().path);
    const auto before = plan_of(program);
    const auto plain = formatted(program, std::nullopt);
    EXPECT_EQ(formatted(plain, std::nullopt), plain);
    EXPECT_EQ(plan_of(plain), before);
    files += program.size();
    plans += before.empty() ? 0 : 1;
  }
  EXPECT_GT(files, 10u);
  EXPECT_GT(plans, 5u);
}

TEST(Formatting, IntoTheOtherLanguageAndBackGivesTheSameBytes) {
  std::size_t there_and_back = 0;
  for (const auto& program : programs()) {
    if (program.empty()) continue;
    SCOPED_TRACE(program.front().path);
    const auto before = plan_of(program);
    const auto plain = formatted(program, std::nullopt);
    for (const auto language : {Language::English, Language::Chinese}) {
      const auto other = language == Language::English ? Language::Chinese : Language::English;
      const auto there = formatted(program, other);
      EXPECT_EQ(plan_of(there), before);
      EXPECT_EQ(formatted(there, std::nullopt), there) << "a translation is in its canonical form";
      const auto back = formatted(there, language);
      EXPECT_EQ(plan_of(back), before);
      EXPECT_EQ(formatted(back, other), there);
      for (std::size_t i = 0; i < program.size(); ++i) {
        const bool is_of_language =
            in_one_language(program[i]) && formatted({plain[i]}, language) == Program{plain[i]};
        if (!can_be_read(program[i].text) || !is_of_language) continue;
        EXPECT_EQ(back[i].text, plain[i].text);
        ++there_and_back;
      }
    }
  }
  EXPECT_GT(there_and_back, 10u);
}

// ------------------------------------------------------------------------- any layout, comments

class Layouts {
 public:
  explicit Layouts(unsigned seed) : random_(seed) {}

  // The same words with other blanks, lines and signs between them. With `comments`, some of these
  // in any place, counted in `written`.
  std::string other(const std::string& text, bool comments, int& written) {
    const auto lexed = lang::lex(Source("a.koi", text), 0, Language::English);
    std::string all;
    std::uint32_t within = 0;  // the end of a text that is read over
    for (std::size_t i = 0; i + 1 < lexed.tokens.size(); ++i) {
      const auto& token = lexed.tokens[i];
      if (token.begin < within) continue;
      auto end = token.end;
      if (token.kind == Kind::TEXT_OPEN) {
        int depth = 0;
        for (auto k = i;; ++k) {
          if (lexed.tokens[k].kind == Kind::TEXT_OPEN) ++depth;
          if (lexed.tokens[k].kind == Kind::TEXT_CLOSE && --depth == 0) {
            end = lexed.tokens[k].end;
            break;
          }
        }
      }
      within = end;
      const bool touches = i > 0 && lexed.tokens[i - 1].end == token.begin;
      // `每天` is one word to the eye, and stays one.
      const bool is_one = touches && is_word(lexed.tokens[i - 1].kind) && is_word(token.kind);
      if (!is_one) all += between(touches, comments, written);
      all += signs(text.substr(token.begin, end - token.begin), token.kind);
    }
    return all + "\n";
  }

 private:
  static bool is_word(Kind kind) { return lang::is_keyword(kind) || kind == Kind::DURATION; }
  int roll(int sides) { return static_cast<int>(random_() % static_cast<unsigned>(sides)); }

  std::string between(bool touches, bool comments, int& written) {
    if (comments && roll(12) == 0) {
      return " # note " + std::to_string(written++) + "\n" +
             std::string(static_cast<std::size_t>(roll(3)), '\n');
    }
    const int lines = comments ? roll(8) : roll(2);
    if (lines == 0) return "\n" + std::string(static_cast<std::size_t>(roll(9)), ' ');
    if (lines == 1 && comments) return "\n\n\n";
    if (touches && roll(2) == 0) return "";
    return touches ? " " : std::string(static_cast<std::size_t>(1 + roll(3)), ' ');
  }

  std::string signs(const std::string& word, Kind kind) {
    if (roll(2) == 0) return word;
    switch (kind) {
      case Kind::LPAREN: return "（";
      case Kind::RPAREN: return ")";
      case Kind::LBRACE: return "｛";
      case Kind::RBRACE: return "｝";
      case Kind::COLON: return "：";
      case Kind::COMMA: return "，";
      case Kind::LESS_EQUAL: return "≤";
      case Kind::NOT_EQUAL: return "≠";
      default: return word;
    }
  }

  std::mt19937 random_;
};

TEST(Formatting, ThereIsOneFormWhateverTheLayoutWas) {
  unsigned seed = 1;
  for (const auto& program : programs()) {
    for (const auto& file : program) {
      if (!can_be_read(file.text)) continue;
      SCOPED_TRACE(file.path);
      int none = 0;
      const auto one = Layouts(++seed).other(file.text, false, none);
      const auto two = Layouts(++seed).other(file.text, false, none);
      ASSERT_EQ(errors_of(one), "");
      ASSERT_EQ(errors_of(two), "");
      EXPECT_EQ(formatted(one, {}), formatted(two, {}));
    }
  }
}

TEST(Formatting, EveryCommentIsKeptOnceAndBlankLinesAreSingle) {
  unsigned seed = 1000;
  int comments = 0;
  for (const auto& program : programs()) {
    const auto before = plan_of(program);
    Program noted;
    std::vector<int> written;
    for (const auto& file : program) {
      written.push_back(0);
      noted.push_back({file.path, can_be_read(file.text)
                                      ? Layouts(++seed).other(file.text, true, written.back())
                                      : file.text});
    }
    for (const auto into : {std::optional<Language>(), std::optional(Language::English),
                            std::optional(Language::Chinese)}) {
      const auto made = formatted(noted, into);
      EXPECT_EQ(plan_of(made), before);
      EXPECT_EQ(formatted(made, into), made);
      for (std::size_t i = 0; i < made.size(); ++i) {
        SCOPED_TRACE(made[i].path);
        const auto& text = made[i].text;
        for (int n = 0; n < written[i]; ++n) {
          const auto note = "# note " + std::to_string(n) + "\n";
          const auto at = text.find(note);
          EXPECT_NE(at, text.npos) << note;
          if (at != text.npos) {
            EXPECT_EQ(text.find(note, at + 1), text.npos) << note;
          }
        }
        comments += written[i];
        if (can_be_read(program[i].text) && text.find("\"\"\"") == text.npos) {
          EXPECT_EQ(text.find("\n\n\n"), text.npos);
        }
      }
    }
  }
  EXPECT_GT(comments, 100);
}

}  // namespace
}  // namespace koi
