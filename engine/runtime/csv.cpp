#include "runtime/csv.h"

#include <algorithm>
#include <array>

#include "base/decimal.h"
#include "base/source.h"
#include "runtime/entry.h"

namespace koi::runtime {

bool split_csv(std::string_view record, std::vector<std::string_view>& fields, std::string& room) {
  fields.clear();
  room.clear();
  // Unescaped texts go to `room`, which must not move while views point into it.
  room.reserve(record.size());
  std::size_t at = 0;
  for (;;) {
    if (at < record.size() && record[at] == '"') {
      const std::size_t begin = ++at, room_begin = room.size();
      bool doubled = false;
      for (;; ++at) {
        const std::size_t quote = record.find('"', at);
        if (quote == std::string_view::npos) return false;
        if (quote + 1 >= record.size() || record[quote + 1] != '"') {
          if (doubled) room.append(record.substr(at, quote - at));
          fields.push_back(doubled ? std::string_view(room).substr(room_begin)
                                   : record.substr(begin, quote - begin));
          at = quote + 1;
          break;
        }
        if (!doubled) at = begin;
        doubled = true;
        room.append(record.substr(at, quote + 1 - at));
        at = quote + 1;
      }
      if (at < record.size() && record[at] != ',') return false;
    } else {
      const std::size_t comma = std::min(record.find(',', at), record.size());
      const std::string_view field = record.substr(at, comma - at);
      if (field.find('"') != std::string_view::npos) return false;
      fields.push_back(field);
      at = comma;
    }
    if (at >= record.size()) return true;
    ++at;  // the comma
    if (at == record.size()) {
      fields.push_back({});
      return true;
    }
  }
}

// ---- The map's text

namespace {

struct Word {
  enum class Kind { End, Name, Bracketed, Text, Sign } kind = Kind::End;
  std::string text;
};

class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) { next(); }
  const Word& now() const { return now_; }
  bool is(std::string_view sign_or_name) const {
    return (now_.kind == Word::Kind::Sign || now_.kind == Word::Kind::Name) &&
           now_.text == sign_or_name;
  }
  bool take(std::string_view sign_or_name) {
    if (!is(sign_or_name)) return false;
    next();
    return true;
  }
  Word take() {
    Word word = now_;
    next();
    return word;
  }
  bool at_end() const { return now_.kind == Word::Kind::End; }
  bool broken() const { return broken_; }

 private:
  void next() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\r'))
      rest_.remove_prefix(1);
    now_ = {};
    if (rest_.empty() || rest_[0] == '#') return;
    const char c = rest_[0];
    if (c == '"' || c == '[') {
      const std::size_t end = rest_.find(c == '"' ? '"' : ']', 1);
      if (end == std::string_view::npos) {
        broken_ = true;
        rest_ = {};
        return;
      }
      now_ = {c == '"' ? Word::Kind::Text : Word::Kind::Bracketed,
              std::string(rest_.substr(1, end - 1))};
      rest_.remove_prefix(end + 1);
      return;
    }
    if (rest_.starts_with("->") || rest_.starts_with("→")) {
      now_ = {Word::Kind::Sign, "->"};
      rest_.remove_prefix(rest_[0] == '-' ? 2 : 3);
      return;
    }
    if (std::string_view("={},*").find(c) != std::string_view::npos) {
      now_ = {Word::Kind::Sign, std::string(1, c)};
      rest_.remove_prefix(1);
      return;
    }
    std::size_t end = 0;
    while (end < rest_.size() &&
           std::string_view(" \t\r={},*#\"[").find(rest_[end]) == std::string_view::npos &&
           !rest_.substr(end).starts_with("->") && !rest_.substr(end).starts_with("→"))
      ++end;
    now_ = {Word::Kind::Name, std::string(rest_.substr(0, end))};
    rest_.remove_prefix(end);
  }
  std::string_view rest_;
  Word now_;
  bool broken_ = false;
};

bool is_column(const Word& word) {
  return word.kind == Word::Kind::Name || word.kind == Word::Kind::Bracketed;
}
bool is_value(const Word& word) { return is_column(word) || word.kind == Word::Kind::Text; }

}  // namespace

Result<CsvMap> CsvMap::parse(std::string_view text, const std::string& path) {
  CsvMap map;
  map.path_ = path;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  int number = 0;
  const auto fault = [&](const std::string& what) {
    return Error{"map", path + ":" + std::to_string(number) + ": " + what};
  };
  if (find_invalid_utf8(text) != std::string_view::npos ||
      text.find('\0') != std::string_view::npos) {
    number = 1;
    return fault("the map is not a text in UTF-8; save it as one");
  }
  const auto piece_of = [](const Word& word) {
    Piece piece;
    piece.text = word.text;
    if (word.kind == Word::Kind::Text)
      piece.kind = Piece::Kind::Literal;
    else if (word.kind == Word::Kind::Name && word.text == "line")
      piece.kind = Piece::Kind::Line;
    else if (word.kind == Word::Kind::Name && word.text == "file")
      piece.kind = Piece::Kind::File;
    else
      piece.kind = Piece::Kind::Column;
    return piece;
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Words words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    Words all = words;
    while (!all.at_end()) all.take();
    if (all.broken()) return fault("a quote or bracket does not end on its line; close it");
    if (words.at_end()) continue;
    const Word first = words.take();
    if (!is_value(first)) return fault("a line begins with the name of a field, `only` or `skip`");
    if (first.kind == Word::Kind::Name && (first.text == "only" || first.text == "skip") &&
        !words.is("=")) {
      Filter filter;
      filter.line = number;
      filter.keep = first.text == "only";
      if (!is_column(words.now()))
        return fault("`" + first.text + "` needs a column, as in `" + first.text +
                     " country is \"France\"`");
      filter.column = piece_of(words.take());
      filter.column.kind = Piece::Kind::Column;
      if (words.take("is")) {
        filter.negated = words.take("not");
        filter.how = words.take("empty") ? Filter::How::Empty : Filter::How::Is;
      } else if (words.take("starts")) {
        if (!words.take("with")) return fault("`starts` goes on with `with \"…\"`");
        filter.how = Filter::How::StartsWith;
      } else if (words.take("does")) {
        if (!words.take("not") || !words.take("start") || !words.take("with"))
          return fault("`does` goes on with `not start with \"…\"`");
        filter.negated = true;
        filter.how = Filter::How::StartsWith;
      } else {
        return fault(
            "behind the column comes `is \"…\"`, `is not \"…\"`, `is empty`, `is not empty`, "
            "`starts with \"…\"` or `does not start with \"…\"`");
      }
      if (filter.how != Filter::How::Empty) {
        if (words.now().kind != Word::Kind::Text)
          return fault("what is compared with stands in quotes");
        filter.text = words.take().text;
      }
      if (!words.at_end())
        return fault("there is more on the line than a condition; write each on a line of its own");
      map.filters_.push_back(std::move(filter));
      continue;
    }
    Part part;
    part.name = first.text;
    part.line = number;
    if (!words.take("="))
      return fault("behind `" + part.name + "` comes `= COLUMN`, or a text in quotes");
    while (is_value(words.now()) && !words.is("as") && !words.is("in")) {
      Piece piece = piece_of(words.take());
      while (words.take("*")) {
        if (piece.kind != Piece::Kind::Column || !is_column(words.now()))
          return fault("`*` stands between two columns of numbers");
        piece.factors.push_back(piece_of(words.take()));
        piece.factors.back().kind = Piece::Kind::Column;
      }
      part.pieces.push_back(std::move(piece));
    }
    if (part.pieces.empty()) return fault("behind `=` comes a column, or a text in quotes");
    if (words.take("as")) {
      if (words.now().kind != Word::Kind::Text)
        return fault("`as` needs a time's form in quotes, as in `as \"%Y-%m-%d %H:%M\"`");
      part.format = words.take().text;
    }
    for (std::size_t i = part.format.find('%'); i < part.format.size();
         i = part.format.find('%', i + 2))
      if (i + 1 == part.format.size() ||
          std::string_view("YymdebHMSfz%").find(part.format[i + 1]) == std::string_view::npos)
        return fault("`%` in a time's form is followed by one of Y y m d e b H M S f z");
    if (words.take("in")) {
      if (words.now().kind != Word::Kind::Text)
        return fault("`in` needs a time zone in quotes, as in `in \"Europe/London\"`");
      part.zone = words.take().text;
      if (find_zone(part.zone) == nullptr)
        return fault("there is no time zone `" + part.zone +
                     "`; use an IANA name as \"Asia/Shanghai\"");
    }
    if ((!part.format.empty() || !part.zone.empty()) && part.name != "time")
      return fault("`as` and `in` are for `time` alone");
    if (words.take("{")) {
      while (!words.take("}")) {
        if (!is_value(words.now()))
          return fault("in braces stands `seen -> meant`, with commas between");
        std::string seen = words.take().text;
        if (!words.take("->") || !is_value(words.now()))
          return fault("in braces stands `seen -> meant`, with commas between");
        part.translations.emplace_back(std::move(seen), words.take().text);
        words.take(",");
        if (words.at_end()) return fault("a brace does not end on its line; close it");
      }
    }
    if (!words.at_end()) return fault("`" + words.now().text + "` is one too many on this line");
    for (const Part& other : map.parts_)
      if (other.name == part.name)
        return fault("`" + part.name + "` is said twice; leave one of the lines out");
    map.parts_.push_back(std::move(part));
  }
  for (const char* needed : {"type", "time", "subject"}) {
    const auto has = [&](const Part& part) { return part.name == needed; };
    if (std::none_of(map.parts_.begin(), map.parts_.end(), has))
      return Error{"map", path + ": the map does not say `" + needed + " = …`; add the line"};
  }
  return map;
}

Result<CsvRows> CsvRows::bind(const CsvMap& map, std::string_view header, std::string file,
                              const Zone& program_zone) {
  CsvRows rows;
  rows.map_ = map;
  rows.file_ = std::move(file);
  rows.zone_ = &program_zone;
  std::string room;
  std::vector<std::string_view> names;
  if (header.starts_with("\xef\xbb\xbf")) header.remove_prefix(3);
  if (!split_csv(header, names, room))
    return Error{
        "map",
        rows.file_ +
            ": its first line is no CSV header; it should name the columns, with commas between"};
  rows.columns_ = names.size();
  std::string missing;
  const auto place = [&](CsvMap::Piece& piece, int line, auto&& self) -> void {
    for (CsvMap::Piece& factor : piece.factors) self(factor, line, self);
    if (piece.kind != CsvMap::Piece::Kind::Column) return;
    const auto found = std::find(names.begin(), names.end(), piece.text);
    if (found != names.end()) {
      piece.column = static_cast<std::size_t>(found - names.begin());
      return;
    }
    if (!missing.empty()) return;
    missing = map.path_ + ":" + std::to_string(line) + ": " + rows.file_ + " has no column `" +
              piece.text + "`; its columns are";
    std::size_t listed = 0;
    for (const std::string_view name : names) {
      missing += (listed++ == 0 ? " " : ", ") + quoted(name);
      if (listed == 20) break;
    }
  };
  for (CsvMap::Part& part : rows.map_.parts_)
    for (CsvMap::Piece& piece : part.pieces) place(piece, part.line, place);
  for (CsvMap::Filter& filter : rows.map_.filters_) place(filter.column, filter.line, place);
  if (!missing.empty()) return Error{"map", missing};
  rows.values_.resize(rows.map_.parts_.size());
  return rows;
}

namespace {

// The exact product of two decimals, at most eighteen digits of it.
bool multiply(std::string_view a, std::string_view b, std::string& out) {
  const auto decimals = [](std::string_view text) {
    const auto point = text.find('.');
    return point == std::string_view::npos ? 0 : static_cast<int>(text.size() - point - 1);
  };
  const int da = decimals(a), db = decimals(b);
  if (da > 9 || db > 9) return false;
  const auto x = parse_scaled(a, da), y = parse_scaled(b, db);
  if (!x || !y) return false;
  const auto product = checked_multiply(*x, *y);
  if (!product) return false;
  out = scaled_to_string(*product, da + db);
  return true;
}

}  // namespace

bool CsvRows::value_of(const CsvMap::Part& part, std::uint64_t line, std::string& out) {
  out.clear();
  for (const CsvMap::Piece& piece : part.pieces) {
    switch (piece.kind) {
      case CsvMap::Piece::Kind::Literal: out += piece.text; break;
      case CsvMap::Piece::Kind::Line: out += std::to_string(line); break;
      case CsvMap::Piece::Kind::File: out += file_; break;
      case CsvMap::Piece::Kind::Column: {
        if (piece.factors.empty()) {
          out += fields_[piece.column];
          break;
        }
        std::string product(fields_[piece.column]), next;
        for (const CsvMap::Piece& factor : piece.factors) {
          if (!multiply(product, fields_[factor.column], next))
            return bad("`" + part.name + "` cannot be reckoned: `" + piece.text + "` or `" +
                       factor.text + "` is no number, or too large");
          product.swap(next);
        }
        out += product;
        break;
      }
    }
  }
  for (const auto& [seen, meant] : part.translations) {
    if (out != seen) continue;
    out = meant;
    break;
  }
  return true;
}

CsvRows::Outcome CsvRows::read(std::string_view record, std::uint64_t line, Texts& texts) {
  if (find_invalid_utf8(record) != std::string_view::npos)
    return bad("is not valid UTF-8; save the file as UTF-8"), Outcome::Bad;
  if (!split_csv(record, fields_, room_))
    return bad("has a quote in the middle of a field; put the field in quotes and double the "
               "quotes in it"),
           Outcome::Bad;
  if (fields_.size() != columns_)
    return bad("has " + std::to_string(fields_.size()) + " fields, where the header has " +
               std::to_string(columns_)),
           Outcome::Bad;
  for (const CsvMap::Filter& filter : map_.filters_) {
    const std::string_view seen = fields_[filter.column.column];
    bool holds = false;
    switch (filter.how) {
      case CsvMap::Filter::How::Is: holds = seen == filter.text; break;
      case CsvMap::Filter::How::Empty: holds = seen.empty(); break;
      case CsvMap::Filter::How::StartsWith: holds = seen.starts_with(filter.text); break;
    }
    if ((holds != filter.negated) != filter.keep) return Outcome::LeftOut;
  }
  named_.clear();
  texts = {};
  for (std::size_t i = 0; i < map_.parts_.size(); ++i) {
    const CsvMap::Part& part = map_.parts_[i];
    if (!value_of(part, line, values_[i])) return Outcome::Bad;
    const std::string_view value = values_[i];
    if (part.name == "id")
      texts.id = value;
    else if (part.name == "type")
      texts.type = value;
    else if (part.name == "subject")
      texts.subject = value;
    else if (part.name == "time") {
      if (!time_of(part, value, texts.time)) return Outcome::Bad;
    } else
      named_.emplace_back(part.name, value);
  }
  if (texts.id.empty()) {
    id_ = file_ + ":" + std::to_string(line);
    texts.id = id_;
  }
  texts.fields = named_;
  return Outcome::Row;
}

bool CsvRows::time_of(const CsvMap::Part& part, std::string_view text, Timestamp& time) {
  const Zone& zone = part.zone.empty() ? *zone_ : *find_zone(part.zone);
  std::optional<Timestamp> read;
  if (!part.format.empty()) {
    read = parse_time(text, part.format, zone);
  } else if ((read = parse_instant(text))) {
  } else if (const auto local = parse_local(text)) {
    read = zone.instant(*local);
  } else if (const auto date = parse_date(text)) {
    read = zone.instant({*date, {}});
  }
  if (!read)
    return bad("`time` is " + quoted(text) + ", which is not a time" +
               (part.format.empty()
                    ? " as 2026-11-11 20:00:00; say its form with `as \"…\"` in the map"
                    : " as " + runtime::quoted(part.format)));
  if (*read < earliest_accepted || *read > latest_accepted)
    return bad("`time` is " + quoted(text) + ", which is not between the years 1970 and 2199");
  time = *read;
  return true;
}

std::optional<Timestamp> parse_time(std::string_view text, std::string_view format,
                                    const Zone& zone) {
  static constexpr std::array<std::string_view, 12> months{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  YearMonthDay day{.year = 1970, .month = 1, .day = 1};
  std::int64_t us = 0, offset = 0;
  bool has_offset = false;
  std::size_t at = 0;
  const auto number = [&](std::size_t least, std::size_t most) -> std::optional<int> {
    const std::size_t begin = at;
    int n = 0;
    while (at < text.size() && at - begin < most && text[at] >= '0' && text[at] <= '9')
      n = n * 10 + (text[at++] - '0');
    if (at - begin < least) return std::nullopt;
    return n;
  };
  constexpr std::int64_t second = 1'000'000;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      if (at >= text.size() || text[at] != format[i]) return std::nullopt;
      ++at;
      continue;
    }
    const char directive = format[++i];
    std::optional<int> n;
    switch (directive) {
      case 'Y':
        if (!(n = number(4, 4))) return std::nullopt;
        day.year = *n;
        break;
      case 'y':
        if (!(n = number(2, 2))) return std::nullopt;
        day.year = *n + (*n < 70 ? 2000 : 1900);
        break;
      case 'm':
        if (!(n = number(1, 2))) return std::nullopt;
        day.month = *n;
        break;
      case 'd':
      case 'e':
        while (directive == 'e' && at < text.size() && text[at] == ' ') ++at;
        if (!(n = number(1, 2))) return std::nullopt;
        day.day = *n;
        break;
      case 'b': {
        const auto found = std::find(months.begin(), months.end(), text.substr(at, 3));
        if (found == months.end()) return std::nullopt;
        day.month = static_cast<int>(found - months.begin()) + 1;
        at += 3;
        break;
      }
      case 'H':
        if (!(n = number(1, 2)) || *n > 23) return std::nullopt;
        us += *n * 3600 * second;
        break;
      case 'M':
        if (!(n = number(1, 2)) || *n > 59) return std::nullopt;
        us += *n * 60 * second;
        break;
      case 'S':
        if (!(n = number(1, 2)) || *n > 59) return std::nullopt;
        us += *n * second;
        break;
      case 'f': {
        std::int64_t unit = second;
        std::size_t digits = 0;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
          us += (text[at] - '0') * (unit /= 10);
        if (digits == 0) return std::nullopt;
        break;
      }
      case 'z': {
        has_offset = true;
        if (at < text.size() && (text[at] == 'Z' || text[at] == 'z')) {
          ++at;
          break;
        }
        if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return std::nullopt;
        const bool behind = text[at++] == '-';
        const auto hours_ahead = number(2, 2);
        if (at < text.size() && text[at] == ':') ++at;
        const auto minutes_ahead = number(2, 2);
        if (!hours_ahead || !minutes_ahead || *hours_ahead > 23 || *minutes_ahead > 59)
          return std::nullopt;
        offset = (*hours_ahead * 60 + *minutes_ahead) * 60 * second * (behind ? -1 : 1);
        break;
      }
      case '%':
        if (at >= text.size() || text[at] != '%') return std::nullopt;
        ++at;
        break;
      default: return std::nullopt;
    }
  }
  const auto date = date_of(day);
  if (at != text.size() || !date) return std::nullopt;
  if (has_offset) return Timestamp{date->days * days(1).us + us - offset};
  return zone.instant({*date, {us}});
}

}  // namespace koi::runtime
