#include "lsp/rename.h"

#include <algorithm>

#include "check/beside.h"
#include "lang/lexer.h"
#include "lang/parse.h"

namespace koi::lsp {
namespace {

constexpr std::string_view left_quote = "“", right_quote = "”";

// How a name is written at a place: bare, between back-quotes, or as an alias between quotes.
struct Spelling {
  std::string text;
  SourceSpan inner;  // without the quotes
  bool in_quotes = false;
};

Spelling spelling(const Program& program, SourceSpan span) {
  std::string_view text = program.sources[span.source].slice(span);
  Spelling out{std::string(text), span, false};
  const auto strip = [&](std::string_view open, std::string_view close) {
    if (text.size() < open.size() + close.size() || !text.starts_with(open) ||
        !text.ends_with(close))
      return false;
    out.inner.begin += static_cast<std::uint32_t>(open.size());
    out.inner.end -= static_cast<std::uint32_t>(close.size());
    out.text = std::string(program.sources[span.source].slice(out.inner));
    return true;
  };
  if (strip("\"", "\"") || strip(left_quote, right_quote))
    out.in_quotes = true;
  else
    strip("`", "`");
  return out;
}

// Whether a name can stand bare, or needs back-quotes; nothing where it is no name at all.
std::optional<bool> needs_quotes(std::string_view name) {
  const auto kinds = [](std::string text) {
    const Source source("", std::move(text));
    std::vector<lang::Kind> out;
    const auto lexed = lang::lex(source, 0, Language::English);
    if (!lexed.diagnostics.empty()) return std::vector<lang::Kind>{};
    for (const auto& token : lexed.tokens) out.push_back(token.kind);
    return out;
  };
  const std::vector<lang::Kind> one{lang::Kind::NAME, lang::Kind::END_OF_FILE};
  if (name.find('`') != name.npos || name.find('#') != name.npos) return std::nullopt;
  if (kinds(std::string(name)) == one) return false;
  if (kinds("`" + std::string(name) + "`") == one) return true;
  return std::nullopt;
}

// The same program with the edits made: its diagnostics' codes and how many uses each name has.
struct Outcome {
  std::vector<std::string> errors;
  std::size_t uses = 0;
};
Outcome outcome(const Program& program, const std::vector<Edit>& edits, Language language) {
  Outcome out;
  std::vector<lang::ast::File> trees = program.trees;
  const auto note = [&](const std::vector<Diagnostic>& diagnostics) {
    for (const auto& each : diagnostics)
      if (each.severity == Severity::Error) out.errors.push_back(each.code);
  };
  for (std::uint32_t i = 0; i < program.sources.size(); ++i) {
    std::string text(program.sources[i].text());
    bool changed = false;
    for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
      if (edit->span.source != i) continue;
      text.replace(edit->span.begin, edit->span.end - edit->span.begin, edit->text);
      changed = true;
    }
    if (!changed) {
      note(program.syntax[i]);
      continue;
    }
    auto parsed = lang::parse(Source(program.paths[i], std::move(text)), i, language);
    note(parsed.diagnostics);
    trees[i] = std::move(parsed.file);
  }
  std::vector<check::Use> uses;
  note(check::check(trees, language, &uses, check::beside_on_disk(program.sources)).diagnostics);
  out.uses = uses.size();
  std::sort(out.errors.begin(), out.errors.end());
  return out;
}

Error refused(Language language, const char* english, const char* chinese) {
  return {"refused", language == Language::Chinese ? chinese : english};
}

}  // namespace

std::optional<SourceSpan> renameable_at(const Program& program, std::uint32_t source,
                                        std::uint32_t offset, Language language) {
  const auto meant = meant_at(program, source, offset, language);
  if (!meant) return std::nullopt;
  return spelling(program, meant->written).inner;
}

Result<std::vector<Edit>> renamed(const Program& program, std::uint32_t source,
                                  std::uint32_t offset, std::string_view name, Language language) {
  const auto meant = meant_at(program, source, offset, language);
  if (!meant)
    return refused(language, "there is no name here that could be changed",
                   "这里没有可以改名的名称");
  const auto quoted = needs_quotes(name);
  if (!quoted)
    return refused(language, "a name is one word of letters, digits and `_`",
                   "名称是一个由文字、数字和 `_` 组成的词");
  const std::string bare = *quoted ? "`" + std::string(name) + "`" : std::string(name);
  const std::string old = spelling(program, meant->written).text;
  std::vector<Edit> edits;
  for (const auto& use : uses_of(program, meant->named, language)) {
    const Spelling written = spelling(program, use.written);
    if (written.text != old) continue;
    Edit edit{written.in_quotes ? written.inner : use.written,
              written.in_quotes ? std::string(name) : bare};
    if (edits.empty() || edits.back().span != edit.span) edits.push_back(std::move(edit));
  }
  const Outcome before = outcome(program, {}, language);
  const Outcome after = outcome(program, edits, language);
  if (after.errors != before.errors || after.uses != before.uses)
    return refused(language, "the program would not mean the same with that name",
                   "改用这个名称后，程序的含义会改变");
  return edits;
}

}  // namespace koi::lsp
