#include "base/diagnostic.h"

#include <algorithm>
#include <tuple>

#include "base/json.h"

namespace koi {

namespace {

constexpr int excerpt_width = 76;                // cells of a source line that are shown at most
constexpr std::size_t excerpt_reach = 600;       // bytes looked at on either side of the carets
constexpr std::size_t longest_comparable = 100;  // characters

std::string_view label_of(Severity severity, Language language) {
  const bool chinese = language == Language::Chinese;
  if (severity == Severity::Error) return chinese ? "错误" : "error";
  return chinese ? "警告" : "warning";
}

void append_hex(std::string& out, char32_t number, int least_digits) {
  int digits = least_digits;
  while (digits < 8 && number >> (4 * digits) != 0) ++digits;
  while (digits-- > 0) out += "0123456789abcdef"[number >> (4 * digits) & 15];
}

// One character as a terminal may show it; moves `at` behind it.
std::string visible_character(std::string_view text, std::size_t& at) {
  const std::size_t begin = at;
  const char32_t character = decode_utf8(text, at);
  std::string out;
  if (character == '\t') {
    out = " ";
  } else if (character == '\n') {
    out = "\\n";
  } else if (character < 0x20 || character == 0x7f || character == not_a_character) {
    out = "\\x";
    append_hex(out, static_cast<unsigned char>(text[begin]), 2);
  } else if ((character >= 0x80 && character < 0xa0) || character == 0xad || character == 0x61c ||
             (character >= 0x200b && character <= 0x200f && character != 0x200d) ||
             (character >= 0x2028 && character <= 0x202e) ||
             (character >= 0x2060 && character <= 0x206f) || character == 0xfeff ||
             (character >= 0xe0000 && character <= 0xe007f)) {
    out = "\\u{";
    append_hex(out, character, 2);
    out += '}';
  } else {
    out = text.substr(begin, at - begin);
  }
  return out;
}

std::string visible(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) out += visible_character(text, at);
  return out;
}

// A stretch of a source line as shown, and where the carets go under it, in cells.
struct Excerpt {
  std::string text;
  int caret_begin = 0;
  int caret_width = 1;
};

// `begin` and `end` are bytes of the line; `end` is at most the line's.
Excerpt excerpt_of(std::string_view line, std::size_t begin, std::size_t end) {
  struct Cell {
    std::string text;
    int width;
  };
  const auto starts_character = [&](std::size_t at) {
    return at >= line.size() || (static_cast<unsigned char>(line[at]) & 0xc0) != 0x80;
  };

  // Only what can be shown is looked at: a line may be the whole file.
  std::size_t from = begin > excerpt_reach ? begin - excerpt_reach : 0;
  std::size_t to = std::min(line.size(), begin + excerpt_reach);
  while (from < begin && !starts_character(from)) ++from;
  while (to < line.size() && !starts_character(to)) ++to;
  bool cut_left = from > 0;
  bool cut_right = to < line.size();
  if (!cut_left)
    while (from < begin && (line[from] == ' ' || line[from] == '\t')) ++from;  // indentation

  std::vector<Cell> cells;
  std::size_t caret_first = 0;
  std::size_t caret_last = 0;  // behind the last one
  for (std::size_t at = from; at < to;) {
    if (at <= begin) caret_first = cells.size();
    std::string text = visible_character(line.substr(0, to), at);
    const int width = display_width(text);
    cells.push_back({std::move(text), width});
    if (at <= end) caret_last = cells.size();
  }
  if (begin >= to) caret_first = cells.size();
  caret_last = std::max(caret_last, caret_first);

  const auto width_of = [&](std::size_t first, std::size_t last) {
    int width = 0;
    for (std::size_t i = first; i < last; ++i) width += cells[i].width;
    return width;
  };

  // Cut on the left until the carets' begin is within the first third, then on the right; two cells
  // are kept for the signs of cutting.
  std::size_t first = 0;
  std::size_t last = cells.size();
  if (cut_left || cut_right || width_of(first, last) > excerpt_width) {
    const int room = excerpt_width - 2;
    const bool fits_from_the_left = !cut_left && width_of(0, caret_last) <= room;
    if (!fits_from_the_left) {
      int before = width_of(0, caret_first);
      const int rest = width_of(caret_first, last);
      const int wanted = cut_right ? room / 3 : std::max(room / 3, room - rest);
      while (first < caret_first && before > wanted) before -= cells[first++].width;
    }
    int width = 0;
    last = first;
    while (last < cells.size() && width + cells[last].width <= room) width += cells[last++].width;
  }
  cut_left = cut_left || first > 0;
  cut_right = cut_right || last < cells.size();

  Excerpt excerpt;
  if (cut_left) excerpt.text += "…";
  for (std::size_t i = first; i < last; ++i) excerpt.text += cells[i].text;
  if (cut_right) excerpt.text += "…";
  excerpt.caret_begin = (cut_left ? 1 : 0) + width_of(first, caret_first);
  excerpt.caret_width = std::max(1, width_of(caret_first, std::min(caret_last, last)));
  return excerpt;
}

// "  file:3:26  text" and the marks below it.
void append_place(std::string& out, SourceSpan span, const std::vector<Source>& sources, char mark,
                  std::string_view said) {
  if (span.source >= sources.size()) {
    if (!said.empty()) out.append("  ").append(visible(said)).append("\n");
    return;
  }
  const Source& source = sources[span.source];
  const Source::Position position = source.position(span.begin);
  const std::string_view line = source.line(position.line);
  const std::size_t line_begin = source.line_begin(position.line);
  const std::size_t begin = std::min<std::size_t>(span.begin - line_begin, line.size());
  const std::size_t end = std::clamp<std::size_t>(span.end < line_begin ? 0 : span.end - line_begin,
                                                  begin, line.size());
  const Excerpt excerpt = excerpt_of(line, begin, end);

  const std::string place = "  " + visible(source.path()) + ":" + std::to_string(position.line) +
                            ":" + std::to_string(position.column) + "  ";
  out.append(place).append(excerpt.text).append("\n");
  out.append(static_cast<std::size_t>(display_width(place) + excerpt.caret_begin), ' ');
  out.append(static_cast<std::size_t>(excerpt.caret_width), mark);
  if (!said.empty()) out.append(" ").append(visible(said));
  out.append("\n");
}

void append_json_place(std::string& out, SourceSpan span, const std::vector<Source>& sources) {
  std::string_view file;
  Source::Position begin{.line = 0, .column = 0};
  Source::Position end = begin;
  if (span.source < sources.size()) {
    const Source& source = sources[span.source];
    file = source.path();
    begin = source.position(span.begin);
    end = source.position(std::max(span.begin, span.end));
  }
  out += "\"file\":";
  append_json_string(out, file);
  const auto number = [&](std::string_view name, std::uint32_t value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
  };
  number("line", begin.line);
  number("column", begin.column);
  number("end_line", end.line);
  number("end_column", end.column);
}

std::u32string characters_of(std::string_view text) {
  std::u32string characters;
  for (std::size_t at = 0; at < text.size() && characters.size() <= longest_comparable;)
    characters.push_back(decode_utf8(text, at));
  return characters;
}

std::size_t distance(const std::u32string& a, const std::u32string& b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

void sort_and_unique(std::vector<Diagnostic>& diagnostics) {
  const auto order = [](const Diagnostic& d) {
    return std::tie(d.span.source, d.span.begin, d.code, d.span.end, d.severity, d.message, d.help,
                    d.replacement);
  };
  const auto same_labels = [](const Diagnostic& a, const Diagnostic& b) {
    return std::equal(
        a.labels.begin(), a.labels.end(), b.labels.begin(), b.labels.end(),
        [](const Label& x, const Label& y) { return x.span == y.span && x.text == y.text; });
  };
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return order(a) < order(b); });
  const auto last = std::unique(diagnostics.begin(), diagnostics.end(),
                                [&](const Diagnostic& a, const Diagnostic& b) {
                                  return order(a) == order(b) && same_labels(a, b);
                                });
  diagnostics.erase(last, diagnostics.end());
}

std::string render(const Diagnostic& diagnostic, const std::vector<Source>& sources,
                   Language language) {
  const bool chinese = language == Language::Chinese;
  std::string out(label_of(diagnostic.severity, language));
  if (!diagnostic.code.empty()) out.append("[").append(visible(diagnostic.code)).append("]");
  out.append(": ").append(visible(diagnostic.message)).append("\n");
  append_place(out, diagnostic.span, sources, '^', "");
  for (const Label& label : diagnostic.labels)
    append_place(out, label.span, sources, '-', label.text);
  std::string help = visible(diagnostic.help);
  if (help.empty() && !diagnostic.replacement.empty())
    help = (chinese ? "改成 `" : "write `") + visible(diagnostic.replacement) + "`";
  if (!help.empty()) out.append(chinese ? "  帮助: " : "  help: ").append(help).append("\n");
  return out;
}

std::string render_json(const Diagnostic& diagnostic, const std::vector<Source>& sources) {
  std::string out = "{\"code\":";
  append_json_string(out, diagnostic.code);
  out += ",\"severity\":";
  append_json_string(out, label_of(diagnostic.severity, Language::English));
  out += ',';
  append_json_place(out, diagnostic.span, sources);
  out += ",\"message\":";
  append_json_string(out, diagnostic.message);
  out += ",\"labels\":[";
  for (std::size_t i = 0; i < diagnostic.labels.size(); ++i) {
    out += i == 0 ? "{" : ",{";
    append_json_place(out, diagnostic.labels[i].span, sources);
    out += ",\"text\":";
    append_json_string(out, diagnostic.labels[i].text);
    out += '}';
  }
  out += "],\"help\":";
  append_json_string(out, diagnostic.help);
  out += ",\"replacement\":";
  append_json_string(out, diagnostic.replacement);
  out += '}';
  return out;
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::u32string wanted = characters_of(word);
  if (wanted.empty() || wanted.size() > longest_comparable) return {};
  const std::size_t most = std::max<std::size_t>(wanted.size() / 3, 1);
  std::size_t best_distance = most + 1;
  const std::string* best = nullptr;
  for (const std::string& candidate : candidates) {
    const std::u32string offered = characters_of(candidate);
    const std::size_t longer = std::max(wanted.size(), offered.size());
    if (longer - std::min(wanted.size(), offered.size()) > most) continue;
    const std::size_t apart = distance(wanted, offered);
    if (apart > most || apart >= longer) continue;
    if (best == nullptr || apart < best_distance || (apart == best_distance && candidate < *best)) {
      best_distance = apart;
      best = &candidate;
    }
  }
  return best == nullptr ? std::string() : *best;
}

}  // namespace koi
