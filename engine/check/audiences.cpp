// Audiences: fixed lists of people, as identifiers in a file beside the one that declares them.
#include <algorithm>

#include "check/detail/checker.h"
#include "model/entry.h"

namespace koi::check {
namespace {

// The fields of a line of RFC 4180 without line feeds in them.
std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += c;
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

}  // namespace

void Checker::audiences() {
  for (const auto* decl : audiences_) {
    Audience audience;
    audience.symbol = {decl->name.text, decl->alias ? decl->alias->text : std::string()};
    audience.span = decl->file.span;
    audience.file = decl->file.text;
    const AttributeId attribute = find_attribute(decl->by);
    audience.by = attribute.is_none() ? program_.schema.find_identifier(decl->by.text)
                                      : program_.schema[attribute].identifier;
    if (audience.by.is_none())
      suggest(report(Code::NoIdentifier, decl->by.span, {decl->by.text}), decl->by.text,
              program_.schema.identifiers);
    else
      members(audience);
    std::sort(audience.members.begin(), audience.members.end());
    audience.members.erase(std::unique(audience.members.begin(), audience.members.end()),
                           audience.members.end());
    HashInput hash;
    if (audience.by) hash.text(program_.schema.identifiers[audience.by.index()]);
    for (const std::string& member : audience.members) hash.text(member);
    audience.definition = hash.hash128();
    program_.audiences.push_back(std::move(audience));
  }
}

// Of the column that is called as the identifier is, or of the first one where none is.
void Checker::members(Audience& audience) {
  const auto read = read_ ? read_(audience.span.source, audience.file) : std::nullopt;
  if (!read) {
    audience.is_missing = true;
    report(Code::AudienceFileMissing, audience.span, {audience.file});
    return;
  }
  const std::string& name = program_.schema.identifiers[audience.by.index()];
  TextKind kind = TextKind::Plain;
  std::string alias;
  for (const Attribute& attribute : program_.schema.attributes)
    if (attribute.identifier == audience.by)
      kind = attribute.type.text, alias = attribute.symbol.alias;
  std::string_view text = *read;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::size_t column = 0, number = 0;
  std::string room;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (line.empty()) continue;
    const std::vector<std::string> fields = fields_of(line);
    const auto named = std::find_if(fields.begin(), fields.end(), [&](const std::string& each) {
      return each == name || (!alias.empty() && each == alias);
    });
    if (number == 1 && named != fields.end()) {
      column = static_cast<std::size_t>(named - fields.begin());
      continue;
    }
    const auto form = column < fields.size() ? entry_of(kind, fields[column], room) : std::nullopt;
    if (form && !form->empty()) {
      audience.members.emplace_back(*form);
      continue;
    }
    auto& diagnostic = report(Code::BadText, audience.span, {describe(kind)});
    diagnostic.help = say("line ", "第 ") + std::to_string(number) +
                      say(" of that file has none", " 行没有有效的值");
    return;
  }
}

}  // namespace koi::check
