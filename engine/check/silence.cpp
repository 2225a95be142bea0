#include "check/silence.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "lang/diagnostics.h"

namespace koi::check {
namespace {

struct Allowance {
  SourceSpan span;
  std::string code;
  bool has_reason = false;
  bool used = false;
};

void skip(std::string_view& text, std::string_view what) {
  while (!text.empty() && what.find(text.front()) != what.npos) text.remove_prefix(1);
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// `# allow K0512: reason`, `# 允许 K0512：理由`.
std::optional<Allowance> allowance(std::string_view comment, SourceSpan span) {
  skip(comment, "# \t");
  if (!take(comment, "allow ") && !take(comment, "允许")) return std::nullopt;
  skip(comment, " \t");
  const std::string_view code = comment.substr(0, 5);
  const bool is_code =
      code.size() == 5 && code[0] == 'K' &&
      std::all_of(code.begin() + 1, code.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_code) return std::nullopt;
  comment.remove_prefix(5);
  skip(comment, " \t");
  const bool says_why = take(comment, ":") || take(comment, "：");
  skip(comment, " \t\r");
  return Allowance{span, std::string(code), says_why && !comment.empty(), false};
}

// The line that a comment speaks of: its own, or where it stands alone the next one with words.
std::uint32_t line_meant(const Source& source, SourceSpan comment) {
  constexpr std::string_view blanks = " \t\r";
  std::uint32_t line = source.position(comment.begin).line;
  const auto first = [&](std::uint32_t number) {
    const std::string_view text = source.line(number);
    const auto at = text.find_first_not_of(blanks);
    return at == text.npos ? '\0' : text[at];
  };
  if (first(line) != '#') return line;
  const std::uint32_t last = source.position(static_cast<std::uint32_t>(source.text().size())).line;
  do ++line;
  while (line <= last && (first(line) == '#' || first(line) == '\0'));
  return line;
}

}  // namespace

void silence(std::vector<Diagnostic>& diagnostics, const std::vector<Source>& sources,
             std::span<const lang::ast::File> files, Language language) {
  // By source and line.
  std::multimap<std::pair<std::uint32_t, std::uint32_t>, Allowance> allowed;
  for (const auto& file : files) {
    if (file.source >= sources.size()) continue;
    const Source& source = sources[file.source];
    for (const SourceSpan& comment : file.comments)
      if (const auto found = allowance(source.slice(comment), comment))
        allowed.emplace(std::pair(file.source, line_meant(source, comment)), *found);
  }
  if (allowed.empty()) return;
  std::erase_if(diagnostics, [&](const Diagnostic& each) {
    if (each.severity != Severity::Warning || each.span.source >= sources.size()) return false;
    const std::uint32_t line = sources[each.span.source].position(each.span.begin).line;
    const auto [first, last] = allowed.equal_range({each.span.source, line});
    bool silent = false;  // without a reason too: then that is the finding
    for (auto at = first; at != last; ++at)
      if (at->second.code == each.code) silent = at->second.used = true;
    return silent;
  });
  for (const auto& [place, each] : allowed)
    if (!each.used || !each.has_reason)
      diagnostics.push_back(
          lang::make(each.used ? lang::Code::AllowedWithoutReason : lang::Code::AllowsNothing,
                     each.span, language, {each.code}));
  sort_and_unique(diagnostics);
}

}  // namespace koi::check
