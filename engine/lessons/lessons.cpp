#include "lessons/lessons.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "check/check.h"
#include "check/silence.h"
#include "format/format.h"
#include "lang/diagnostics.h"
#include "lang/parse.h"
#include "lessons/detail/examples.h"

namespace koi::lessons {
namespace {

// The next line with its end, taken off `text`.
std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
  const auto line = text.substr(0, end);
  text.remove_prefix(end);
  return line;
}

std::string_view bare(std::string_view line) {
  return line.ends_with('\n') ? line.substr(0, line.size() - 1) : line;
}

std::vector<Lesson> read_lessons() {
  std::vector<Lesson> all;
  for (const auto& file : example_files()) {
    if (!file.name.ends_with(".txt")) continue;
    std::string_view* part = nullptr;
    for (auto text = file.text; !text.empty();) {
      const auto line = take_line(text);
      if (line.starts_with("=== ")) {
        const auto words = bare(line).substr(4);
        all.push_back({.code = words.substr(0, 5), .alone = words.ends_with(" alone")});
        part = nullptr;
      } else if (line.starts_with("--- ")) {
        const auto which = bare(line).substr(4);
        part = which == "wrong"   ? &all.back().wrong
               : which == "right" ? &all.back().right
                                  : &all.back().wrong_in_chinese;
        *part = {text.data(), 0};
      } else {
        KOI_ASSERT(part != nullptr);
        *part = {part->data(), part->size() + line.size()};
      }
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Lesson& a, const Lesson& b) { return a.code < b.code; });
  return all;
}

void replace_all(std::string& text, std::string_view what, const std::string& by) {
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

// A line that stands for many: how often, and the line.
struct Repeated {
  int times = 0;
  std::string_view line;
};
Repeated repeated(std::string_view line) {
  Repeated found{0, line};
  if (!line.starts_with('<')) return found;
  const auto [end, error] =
      std::from_chars(line.data() + 1, line.data() + line.size(), found.times);
  constexpr std::string_view times = " times> ";
  const auto rest = line.substr(static_cast<std::size_t>(end - line.data()));
  if (error != std::errc() || !rest.starts_with(times)) return {0, line};
  found.line = rest.substr(times.size());
  return found;
}

std::string numbered(std::string_view line, int n) {
  std::string text(line);
  replace_all(text, "<n>", std::to_string(n));
  replace_all(text, "<n-1>", std::to_string(n - 1));
  return text;
}

// What a reader is shown: of many lines the first.
std::string shown(std::string_view text, Language language) {
  std::string all;
  while (!text.empty()) {
    const auto [times, line] = repeated(take_line(text));
    all += numbered(line, 1);
    if (times == 0) continue;
    all += language == Language::English ? "# … and so on, " + std::to_string(times) + " times\n"
                                         : "# …… 如此重复 " + std::to_string(times) + " 次\n";
  }
  return all;
}

std::string with_bytes(std::string text) {
  for (auto at = text.find("<0x"); at != text.npos; at = text.find("<0x", at + 1)) {
    int byte = 0;
    std::from_chars(text.data() + at + 3, text.data() + at + 5, byte, 16);
    text.replace(at, 6, 1, static_cast<char>(byte));
  }
  return text;
}

std::string whole(std::string_view text) {
  std::string all;
  while (!text.empty()) {
    const auto [times, line] = repeated(take_line(text));
    if (times == 0) all += line;
    for (int n = 1; n <= times; ++n) all += numbered(line, n);
  }
  return with_bytes(std::move(all));
}

// `event purchase`, `customer`: what a declaration declares.
std::string declares(std::string_view declaration) {
  const auto first = declaration.find(' ');
  const auto kind = declaration.substr(0, first);
  if (kind == "customer") return "customer";
  const auto name = declaration.substr(first + 1);
  return std::string(kind) + " " + std::string(name.substr(0, name.find_first_of(" \n{")));
}

// The shop without what the example declares itself.
std::string shop_beside(std::string_view example) {
  std::string_view text = example_files().back().text;
  std::string all;
  while (!text.empty()) {
    const auto end = std::min(text.find("\n\n"), text.size() - 1) + 1;
    const auto piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto name = declares(piece) + " ";
    const auto lines = "\n" + std::string(example);
    if (lines.find("\n" + name) == lines.npos) all += piece;
  }
  return all;
}

std::string in_chinese(const std::string& text) {
  const format::Options options{.into = Language::Chinese, .declared = {}};
  return format::format(Source("example.koi", text), 0, Language::Chinese, options).text;
}

Example seen(const Lesson& lesson, std::string shown_text, std::string program,
             std::string_view original, Language language) {
  Example made;
  made.shown = std::move(shown_text);
  made.sources.emplace_back("example.koi", std::move(program));
  if (!lesson.alone) made.sources.emplace_back("shop.koi", shop_beside(original));
  std::vector<lang::ast::File> trees;
  for (std::size_t i = 0; i < made.sources.size(); ++i) {
    auto parsed = lang::parse(made.sources[i], static_cast<std::uint32_t>(i), language);
    made.diagnostics.insert(made.diagnostics.end(), parsed.diagnostics.begin(),
                            parsed.diagnostics.end());
    trees.push_back(std::move(parsed.file));
  }
  auto checked = check::check(trees, language);
  made.diagnostics.insert(made.diagnostics.end(), checked.diagnostics.begin(),
                          checked.diagnostics.end());
  sort_and_unique(made.diagnostics);
  check::silence(made.diagnostics, made.sources, trees, language);
  return made;
}

// A template with its places shown as an ellipsis.
std::string without_places(std::string_view words) {
  std::string text(words);
  for (char n = '0'; n <= '9'; ++n) replace_all(text, std::string("{") + n + "}", "…");
  return text;
}

std::string indented(std::string_view text) {
  std::string all;
  while (!text.empty()) {
    const auto line = take_line(text);
    all += line == "\n" ? "" : "    ";
    all += line;
  }
  return all;
}

}  // namespace

const std::vector<Lesson>& lessons() {
  static const auto all = read_lessons();
  return all;
}

const Lesson* find(std::string_view code) {
  const auto found = std::find_if(lessons().begin(), lessons().end(),
                                  [&](const Lesson& each) { return each.code == code; });
  return found == lessons().end() ? nullptr : &*found;
}

Example wrong(const Lesson& lesson, Language language) {
  if (language == Language::English) {
    return seen(lesson, shown(lesson.wrong, language), whole(lesson.wrong), lesson.wrong, language);
  }
  if (!lesson.wrong_in_chinese.empty()) {
    const auto text = lesson.wrong_in_chinese;
    return seen(lesson, shown(text, language), whole(text), lesson.wrong, language);
  }
  const auto text = in_chinese(std::string(lesson.wrong));
  return seen(lesson, text, text, lesson.wrong, language);
}

Example right(const Lesson& lesson, Language language) {
  const auto text = language == Language::English ? std::string(lesson.right)
                                                  : in_chinese(std::string(lesson.right));
  return seen(lesson, text, text, lesson.right, language);
}

std::string explain(const Lesson& lesson, Language language) {
  const auto& all = lang::catalogue();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const auto& each) { return each.text == lesson.code; });
  KOI_ASSERT(found != all.end());
  const bool english = language == Language::English;
  const bool error = found->severity == Severity::Error;
  std::string out = std::string(lesson.code) + " · ";
  out += english ? (error ? "error" : "warning") : (error ? "错误" : "警告");
  out += "\n\n  " + without_places(english ? found->english : found->chinese) + "\n";
  const auto help = english ? found->help_english : found->help_chinese;
  if (!help.empty()) out += "  " + without_places(help) + "\n";
  if (error) {
    out += english ? "  With it the program neither runs nor is tested.\n"
                   : "  有此错误时，程序不能运行，也不能测试。\n";
  } else {
    out += english ? "  The program runs; see whether it does what is meant.\n"
                   : "  程序可以运行，请确认是否符合本意。\n";
  }
  const auto bad = wrong(lesson, language);
  out += std::string("\n") + (english ? "Wrong:" : "错误的写法：") + "\n\n" + indented(bad.shown) +
         "\n";
  for (const auto& each : bad.diagnostics) out += indented(render(each, bad.sources, language));
  out += std::string("\n") + (english ? "Right:" : "正确的写法：") + "\n\n" +
         indented(right(lesson, language).shown);
  return out;
}

}  // namespace koi::lessons
