#include "lang/text_value.h"

#include <algorithm>
#include <string_view>

namespace koi::lang {
namespace {

constexpr std::string_view blanks = " \t";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string resolve_escapes(std::string& text, std::size_t& place) {
  if (text.find_first_of("\\{}") == text.npos && text.find("\xEF\xBD\x9B") == text.npos &&
      text.find("\xEF\xBD\x9D") == text.npos) {
    return {};
  }
  std::string said;
  std::string unknown;
  const std::string_view rest = text;
  for (std::size_t at = 0; at < rest.size();) {
    const auto two = [&](std::string_view pair) { return rest.substr(at, pair.size()) == pair; };
    if (two("{{") || two("}}")) {
      said += rest[at];
      at += 2;
    } else if (two("｛｛") || two("｝｝")) {
      said += rest.substr(at, 3);
      at += 6;
    } else if (rest[at] != '\\') {
      said += rest[at++];
    } else if (two("\\n")) {
      said += '\n';
      at += 2;
    } else if (two("\\t")) {
      said += '\t';
      at += 2;
    } else if (two("\\\"") || two("\\\\")) {
      said += rest[at + 1];
      at += 2;
    } else if (two("\\“") || two("\\”")) {
      said += rest.substr(at + 1, 3);
      at += 4;
    } else {
      if (unknown.empty()) {
        // The backslash and the whole character behind it.
        auto end = at + 2;
        while (end < rest.size() && (static_cast<unsigned char>(rest[end]) & 0xC0) == 0x80) ++end;
        unknown = rest.substr(at, end - at);
        place = at;
      }
      said += rest[at++];
    }
  }
  text = said;
  return unknown;
}

void trim_long_text(const std::vector<std::string*>& pieces, bool begins, bool ends) {
  for (auto* piece : pieces) replace_all(*piece, "\r\n", "\n");
  if (pieces.empty()) return;
  if (ends) {
    auto& last = *pieces.back();
    const auto line = last.rfind('\n');
    if (line != last.npos && last.find_first_not_of(blanks, line + 1) == last.npos) {
      last.erase(line);
    }
  }
  // The indentation that every line has which says something.
  std::size_t shared = std::string::npos;
  for (const auto* piece : pieces) {
    for (auto line = piece->find('\n'); line != piece->npos; line = piece->find('\n', line + 1)) {
      const auto first = piece->find_first_not_of(blanks, line + 1);
      if (first != piece->npos && (*piece)[first] == '\n') continue;  // blank
      const auto end = first == piece->npos ? piece->size() : first;
      shared = std::min(shared, end - line - 1);
    }
  }
  for (auto* piece : pieces) {
    for (auto line = piece->find('\n'); line != piece->npos; line = piece->find('\n', line + 1)) {
      auto end = line + 1;
      while (end < piece->size() && end - line - 1 < shared &&
             blanks.find((*piece)[end]) != blanks.npos) {
        ++end;
      }
      piece->erase(line + 1, end - line - 1);
    }
  }
  if (begins) {
    auto& first = *pieces.front();
    const auto line = first.find('\n');
    if (line != first.npos && first.find_first_not_of(blanks) == line) first.erase(0, line + 1);
  }
}

}  // namespace koi::lang
