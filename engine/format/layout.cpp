// Sentences to lines: on one line where that fits and is allowed, else bodies one sentence a line
// and long heads broken before the words that join their parts.
#include <algorithm>
#include <climits>
#include <optional>

#include "base/source.h"
#include "format/detail/sentence.h"

namespace koi::format {
namespace {

constexpr int line_width = 120;
constexpr int body_indent = 2;
constexpr int continuation_indent = 4;
// What is further apart is not put under each other.
constexpr int widest_gap = 24;

int width(std::string_view text) {
  const auto end = text.find('\n');
  return display_width(text.substr(0, end));
}

struct Line {
  int indent = 0;
  std::vector<std::string> cells{""};
  std::string comment;
  int alignment = 0;
  bool blank_before = false;
};

const Piece& first_piece(const Sentence& sentence) {
  const auto& part = sentence.parts.front();
  const auto* body = std::get_if<Body>(&part);
  return body != nullptr ? body->open : std::get<Piece>(part);
}

class Layout {
 public:
  std::string run(const std::vector<Sentence>& sentences, const std::vector<Comment>& at_end) {
    body(sentences, 0);
    comments(at_end, 0, !sentences.empty());
    align_cells();
    align_comments();
    return text();
  }

 private:
  // The sentence on one line, or nothing where it cannot stand on one.
  std::optional<std::string> flat(const Sentence& sentence, bool inner) const;
  std::optional<std::string> flat(const Body& body) const;

  void body(const std::vector<Sentence>& sentences, int indent);
  void comments(const std::vector<Comment>& comments, int indent, bool not_first);
  void sentence(const Sentence& sentence, int indent, bool first);
  void in_one_line(const Sentence& sentence);
  void in_lines(const Sentence& sentence, int indent);
  void expanded(const Body& body, int indent);
  void run_of(const std::vector<const Piece*>& pieces, int indent, int continuation, int reserve);
  void fill(const std::vector<const Piece*>& pieces, std::size_t from, std::size_t to, int depth,
            int continuation, int reserve);

  void begin_line(int indent) {
    lines_.push_back({.indent = indent});
    fresh_ = true;
  }
  Line& line() { return lines_.back(); }
  int used() {
    int n = line().indent;
    for (const auto& cell : line().cells) n += width_of_last_line(cell);
    return n + static_cast<int>(line().cells.size()) - 1;
  }
  static int width_of_last_line(std::string_view text) {
    const auto at = text.rfind('\n');
    return display_width(at == text.npos ? text : text.substr(at + 1));
  }
  void add(const Piece& piece) {
    auto& cell = line().cells.back();
    if (!fresh_ && !cell.empty()) cell.append(static_cast<std::size_t>(piece.blanks_before), ' ');
    cell += piece.text;
    fresh_ = false;
  }
  void align_cells();
  void align_comments();
  std::string text() const;

  std::vector<Line> lines_;
  bool fresh_ = true;  // nothing is on the line yet
};

bool has_comment(const Piece& piece) { return !piece.above.empty() || !piece.beside.empty(); }

// `inner`: within a body on one line; then no comment may stand anywhere in it.
std::optional<std::string> Layout::flat(const Sentence& sentence, bool inner) const {
  std::string all;
  for (std::size_t i = 0; i < sentence.parts.size(); ++i) {
    const bool first = i == 0, last = i + 1 == sentence.parts.size();
    if (const auto* part = std::get_if<Body>(&sentence.parts[i])) {
      if (!inner && last && !part->close.beside.empty()) {
        auto bare = *part;
        bare.close.beside.clear();
        const auto inside = flat(bare);
        if (!inside) return std::nullopt;
        all += (first ? "" : " ") + *inside;
        continue;
      }
      const auto inside = flat(*part);
      if (!inside) return std::nullopt;
      all += (first ? "" : " ") + *inside;
      continue;
    }
    const auto& piece = std::get<Piece>(sentence.parts[i]);
    if (!piece.above.empty() && (inner || !first)) return std::nullopt;
    if (!piece.beside.empty() && (inner || !last)) return std::nullopt;
    if (!first) all.append(static_cast<std::size_t>(piece.blanks_before), ' ');
    all += piece.text;
  }
  return all;
}

std::optional<std::string> Layout::flat(const Body& body) const {
  if (has_comment(body.open) || has_comment(body.close)) return std::nullopt;
  if (body.sentences.empty()) return body.open.text + body.close.text;
  if (!body.may_be_one_line) return std::nullopt;
  std::string all = body.open.text + " ";
  for (std::size_t i = 0; i < body.sentences.size(); ++i) {
    const auto inside = flat(body.sentences[i], true);
    if (!inside || inside->find('\n') != inside->npos) return std::nullopt;
    all += (i == 0 ? "" : "  ") + *inside;
  }
  return all + " " + body.close.text;
}

void Layout::comments(const std::vector<Comment>& comments, int indent, bool not_first) {
  for (const auto& each : comments) {
    begin_line(indent);
    line().blank_before = each.blank_before && not_first;
    line().cells.back() = each.text;
    not_first = true;
  }
}

void Layout::body(const std::vector<Sentence>& sentences, int indent) {
  bool first = true;
  for (const auto& each : sentences) {
    sentence(each, indent + body_indent * each.deeper, first);
    first = false;
  }
}

void Layout::sentence(const Sentence& sentence, int indent, bool first) {
  const auto& head = first_piece(sentence);
  comments(head.above, indent, !first);
  begin_line(indent);
  line().blank_before = head.blank_before && !(first && head.above.empty());
  const auto whole = flat(sentence, false);
  if (whole && indent + width(*whole) <= line_width) {
    in_one_line(sentence);
  } else {
    in_lines(sentence, indent);
  }
}

void Layout::in_one_line(const Sentence& sentence) {
  line().alignment = sentence.alignment;
  for (const auto& part : sentence.parts) {
    if (const auto* body = std::get_if<Body>(&part)) {
      auto bare = *body;
      bare.close.beside.clear();
      auto open = body->open;
      open.text = *flat(bare);
      if (open.begins_cell) line().cells.emplace_back(), fresh_ = true;
      add(open);
      line().comment = body->close.beside;
      continue;
    }
    const auto& piece = std::get<Piece>(part);
    if (piece.begins_cell) line().cells.emplace_back(), fresh_ = true;
    add(piece);
    line().comment = piece.beside;
  }
  for (const auto& cell : line().cells)
    if (cell.find('\n') != cell.npos) line().alignment = 0;
}

void Layout::in_lines(const Sentence& sentence, int indent) {
  std::vector<const Piece*> head;
  int continuation = indent + continuation_indent;
  for (std::size_t i = 0; i < sentence.parts.size(); ++i) {
    if (const auto* piece = std::get_if<Piece>(&sentence.parts[i])) {
      head.push_back(piece);
      continue;
    }
    const auto& part = std::get<Body>(sentence.parts[i]);
    run_of(head, indent, continuation, 1 + width(part.open.text));
    head.clear();
    expanded(part, indent);
    continuation = indent;
  }
  run_of(head, indent, continuation, 0);
}

void Layout::expanded(const Body& body, int indent) {
  if (!body.open.above.empty()) {
    comments(body.open.above, indent + continuation_indent, true);
    begin_line(indent);
  }
  const bool empty = body.sentences.empty() && !has_comment(body.close) && body.open.beside.empty();
  if (empty) {
    auto both = body.open;
    both.text += body.close.text;
    add(both);
    return;
  }
  if (const auto whole = flat(body); whole && used() + 1 + width(*whole) <= line_width) {
    auto both = body.open;
    both.text = *whole;
    add(both);
    return;
  }
  add(body.open);
  line().comment = body.open.beside;
  this->body(body.sentences, indent + body_indent);
  comments(body.close.above, indent + body_indent, !body.sentences.empty());
  begin_line(indent);
  add(body.close);
  line().comment = body.close.beside;
}

// The pieces, broken at comments and where the line is full.
void Layout::run_of(const std::vector<const Piece*>& pieces, int indent, int continuation,
                    int reserve) {
  std::size_t from = 0;
  bool at_start = lines_.back().cells.size() == 1 && lines_.back().cells.back().empty();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i]->above.empty() && !(at_start && i == 0)) {
      comments(pieces[i]->above, continuation, true);
      begin_line(continuation);
    } else if (!line().comment.empty()) {
      begin_line(continuation);
    }
    const bool ends =
        i + 1 == pieces.size() || !pieces[i]->beside.empty() || !pieces[i + 1]->above.empty();
    if (!ends) continue;
    fill(pieces, from, i + 1, 0, continuation, i + 1 == pieces.size() ? reserve : 0);
    line().comment = pieces[i]->beside;
    from = i + 1;
    at_start = false;
    continuation =
        std::max(continuation, indent + (from < pieces.size() ? continuation_indent : 0));
  }
  if (!pieces.empty() && reserve > 0 && !line().comment.empty()) begin_line(indent);
}

// Puts pieces [from, to) on lines, parted before those that may begin one: at `depth` first, within
// parentheses only what does not fit otherwise.
void Layout::fill(const std::vector<const Piece*>& pieces, std::size_t from, std::size_t to,
                  int depth, int continuation, int reserve) {
  const auto length = [&](std::size_t begin, std::size_t end) {
    int n = 0;
    for (auto i = begin; i < end; ++i) {
      n += (i == begin && fresh_ ? 0 : pieces[i]->blanks_before) + width(pieces[i]->text);
    }
    return n;
  };
  int deepest = 0;
  for (auto i = from; i < to; ++i) deepest = std::max(deepest, pieces[i]->depth);
  while (from < to) {
    auto end = from + 1;
    while (end < to && !(pieces[end]->may_break && pieces[end]->depth <= depth)) ++end;
    const int kept = end == to ? reserve : 0;
    if (!fresh_ && pieces[from]->may_break && used() + length(from, end) + kept > line_width) {
      begin_line(continuation);
    }
    if (used() + length(from, end) + kept > line_width && depth < deepest) {
      fill(pieces, from, end, depth + 1, continuation, kept);
    } else {
      for (; from < end; ++from) add(*pieces[from]);
    }
    from = end;
  }
}

void Layout::align_cells() {
  for (std::size_t from = 0; from < lines_.size();) {
    std::size_t to = from + 1;
    const auto& head = lines_[from];
    while (head.alignment != 0 && to < lines_.size() && !lines_[to].blank_before &&
           lines_[to].alignment == head.alignment && lines_[to].indent == head.indent) {
      ++to;
    }
    for (std::size_t column = 0;; ++column) {
      int widest = 0, narrowest = line_width;
      bool any = false;
      for (auto i = from; i < to; ++i) {
        if (lines_[i].cells.size() <= column + 1) continue;
        any = true;
        widest = std::max(widest, display_width(lines_[i].cells[column]));
        narrowest = std::min(narrowest, display_width(lines_[i].cells[column]));
      }
      if (!any) break;
      if (widest - narrowest > widest_gap || head.alignment == 0) continue;
      for (auto i = from; i < to; ++i) {
        if (lines_[i].cells.size() <= column + 1) continue;
        auto& cell = lines_[i].cells[column];
        const int missing = widest - display_width(cell);
        cell.append(static_cast<std::size_t>(missing), ' ');
      }
    }
    from = to;
  }
}

std::string joined(const Line& line) {
  std::string all(static_cast<std::size_t>(line.indent), ' ');
  bool first = true;
  for (const auto& cell : line.cells) {
    if (cell.empty()) continue;
    if (!first) all += ' ';
    all += cell;
    first = false;
  }
  return all;
}

void Layout::align_comments() {
  for (std::size_t from = 0; from < lines_.size();) {
    std::size_t to = from;
    int widest = 0, narrowest = INT_MAX;
    while (to < lines_.size() && !lines_[to].comment.empty() &&
           (to == from || !lines_[to].blank_before)) {
      const auto text = joined(lines_[to]);
      widest = std::max(widest, width_of_last_line(text));
      narrowest = std::min(narrowest, width_of_last_line(text));
      ++to;
    }
    for (auto i = from; i < to; ++i) {
      const int missing =
          widest - narrowest > 2 * widest_gap ? 0 : widest - width_of_last_line(joined(lines_[i]));
      lines_[i].comment.insert(0, static_cast<std::size_t>(missing) + 2, ' ');
    }
    from = std::max(to, from + 1);
  }
}

std::string Layout::text() const {
  std::string all;
  for (const auto& line : lines_) {
    if (line.blank_before && !all.empty()) all += '\n';
    all += joined(line) + line.comment + '\n';
  }
  return all;
}

}  // namespace

std::string lay_out(const std::vector<Sentence>& sentences, const std::vector<Comment>& at_end) {
  return Layout().run(sentences, at_end);
}

}  // namespace koi::format
