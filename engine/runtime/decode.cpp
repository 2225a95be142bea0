// The one file that sees simdjson. Its first stage finds, with vector instructions, where each
// token of a line begins, and refuses bad UTF-8, bare control characters and texts without an end.
// From there a walk over the tokens reads each value as the type that the schema wants: no tree is
// built, and numbers are read from their digits, so that money never passes through binary floating
// point.
#include "runtime/decode.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "base/source.h"
#include "runtime/detail/name_table.h"
#include "runtime/entry.h"

namespace koi::runtime {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// What a key of an event's `data` means.
struct Target {
  std::string name{};
  FieldId field{};       // none: an identifier that is no declared field
  IdentifierId links{};  // none: links nothing
  TextKind kind{};       // of an identifier that is no declared field
};

// Whether `text` is this word, without a call.
template <std::size_t size>
bool is(std::string_view text, const char (&word)[size]) {
  return text.size() == size - 1 && __builtin_memcmp(text.data(), word, size - 1) == 0;
}

struct Layout {  // of one event type
  std::vector<Target> targets;
  NameTable by_name;
  std::vector<bool> may_quote;      // by field: a sentence may show what was seen
  std::vector<std::uint64_t> seen;  // by target: the number of the event that had it last
};

// Marks the fields of events that the value of a private attribute is made of.
void mark_private(const plan::Plan& plan, plan::NodeId id, std::vector<bool>& may_quote,
                  int depth = 0) {
  if (id.is_none() || depth > 64) return;
  const plan::Node& node = plan[id];
  if (node.op == plan::Op::Field && node.index < may_quote.size()) may_quote[node.index] = false;
  if (node.op == plan::Op::Constant || node.op == plan::Op::Field) return;
  if (node.op == plan::Op::Join)
    for (const auto& part : plan.templates[node.index].parts)
      mark_private(plan, part.node, may_quote, depth + 1);
  mark_private(plan, node.a, may_quote, depth + 1);
  mark_private(plan, node.b, may_quote, depth + 1);
}

void put_unique(std::vector<Identifier>& identifiers, std::size_t& used, IdentifierId kind,
                std::string_view text) {
  for (std::size_t i = 0; i < used; ++i)
    if (identifiers[i].kind == kind && identifiers[i].text == text) return;
  if (used == identifiers.size()) identifiers.emplace_back();
  identifiers[used].kind = kind;
  identifiers[used].text.assign(text);
  ++used;
}

}  // namespace

void UnknownNames::count(std::string_view name) {
  if (name.size() > 100) {
    std::size_t cut = 100;
    while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xc0) == 0x80) --cut;
    name = name.substr(0, cut);
  }
  if (const auto found = names_.find(name); found != names_.end())
    ++found->second;
  else if (names_.size() < most)
    names_.emplace(name, 1);
  else
    ++others_;
}

void UnknownNames::add(const UnknownNames& other) {
  for (const auto& [name, times] : other.names_) {
    if (const auto found = names_.find(name); found != names_.end())
      found->second += times;
    else if (names_.size() < most)
      names_.emplace(name, times);
    else
      others_ += times;
  }
  others_ += other.others_;
}

class Decoder::Impl {
 public:
  explicit Impl(const plan::Plan& plan) : schema_(plan.schema), reader_(plan.schema) {
    const auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        longest_line, static_cast<std::size_t>(deepest_json), tokens_);
    KOI_ASSERT(error == simdjson::SUCCESS);
    index_identifiers();
    layouts_.resize(schema_.events.size());
    for (std::size_t i = 0; i < layouts_.size(); ++i) lay_out(plan, EventTypeId::of(i));
    for (std::size_t i = 0; i < schema_.events.size(); ++i) {
      if (schema_.events[i].is_inner) continue;  // not for anybody outside to say
      const Symbol& symbol = schema_.events[i].symbol;
      type_by_name_.insert(symbol.name, static_cast<std::uint16_t>(i));
      if (!symbol.alias.empty()) type_by_name_.insert(symbol.alias, static_cast<std::uint16_t>(i));
    }
  }

  Decoded decode(std::string_view line, Incoming& into) {
    if (!tokenise(line)) return Decoded::Rejected;
    begin(into);
    parts_ = {};
    data_at_ = 0;
    const bool whole =
        object([&](std::string_view key) { return top_level(key, into); }) && at_end();
    if (!whole) return Decoded::Rejected;
    if (!parts_.id) return missing_part("id", "a text that names this event alone");
    if (!parts_.type) return missing_part("type", "the name of one of the program's events");
    if (!parts_.time) return missing_part("time", "an instant as \"2026-11-11T20:00:00+08:00\"");
    if (!parts_.subject)
      return missing_part("subject", "the customer's id, or an identifier as `kind:value`");
    if (into.event.type.is_none()) return Decoded::UnknownType;
    if (data_at_ != 0 && !parts_.data_read) {
      at_ = data_at_;
      if (!data(into)) return Decoded::Rejected;
    }
    return finish(into) ? Decoded::Event : Decoded::Rejected;
  }

  Decoded decode(const Texts& row, Incoming& into) {
    begin(into);
    if (!set_id(row.id, into)) return Decoded::Rejected;
    if (row.time < earliest_accepted || row.time > latest_accepted)
      return reject("`time` is not between the years 1970 and 2199"), Decoded::Rejected;
    into.event.time = row.time;
    if (!set_type(row.type, into)) return Decoded::Rejected;
    if (!set_subject(row.subject, into)) return Decoded::Rejected;
    if (into.event.type.is_none()) return Decoded::UnknownType;
    Layout& layout = layouts_[into.event.type.index()];
    for (const auto& [name, text] : row.fields) {
      const std::uint16_t found = layout.by_name.find(name);
      if (found == NameTable::absent) {
        count_unknown_field(into.event.type, name);
        continue;
      }
      if (text.empty()) continue;
      if (text.find('\0') != std::string_view::npos)
        return reject(name_of_field(into, layout.targets[found]) +
                      " holds a NUL character; leave it out"),
               Decoded::Rejected;
      if (!see(layout, found)) return twice(layout.targets[found].name), Decoded::Rejected;
      if (!set_text(layout, layout.targets[found], text, into, /*bare=*/true))
        return Decoded::Rejected;
    }
    return finish(into) ? Decoded::Event : Decoded::Rejected;
  }

  std::optional<Timestamp> time_of(std::string_view line) {
    if (!tokenise(line)) return std::nullopt;
    std::optional<Timestamp> time;
    const bool whole = object([&](std::string_view key) {
      if (!is(key, "time")) return skip(0);
      std::string_view text;
      Timestamp read;
      if (time || !string(text, "time") || !instant(text, read)) return false;
      time = read;
      return true;
    });
    return whole && at_end() ? time : std::nullopt;
  }

  std::string reason_;
  UnknownNames unknown_types_, unknown_fields_;

 private:
  // ---- The schema, laid out for looking up

  void index_identifiers() {
    identifier_kinds_.assign(schema_.identifiers.size(), TextKind::Plain);
    for (std::size_t i = 0; i < schema_.identifiers.size(); ++i)
      identifier_by_name_.insert(schema_.identifiers[i], static_cast<std::uint16_t>(i));
    for (const Attribute& attribute : schema_.attributes) {
      if (attribute.identifier.is_none()) continue;
      identifier_kinds_[attribute.identifier.index()] = attribute.type.text;
      if (!attribute.symbol.alias.empty())
        identifier_by_name_.insert(attribute.symbol.alias,
                                   static_cast<std::uint16_t>(attribute.identifier.index()));
    }
  }

  void lay_out(const plan::Plan& plan, EventTypeId id) {
    const EventType& type = schema_[id];
    Layout& layout = layouts_[id.index()];
    layout.may_quote.assign(type.fields.size(), true);
    if (id.index() < plan.reactions.size())
      for (const plan::AttributeSet& set : plan.reactions[id.index()].sets)
        if (schema_[set.attribute].is_private) mark_private(plan, set.value, layout.may_quote);
    const auto add = [&](const Symbol& symbol, Target target) {
      const auto position = static_cast<std::uint16_t>(layout.targets.size());
      target.name = symbol.name;
      layout.by_name.insert(symbol.name, position);
      if (!symbol.alias.empty()) layout.by_name.insert(symbol.alias, position);
      layout.targets.push_back(std::move(target));
    };
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      const Field& field = type.fields[i];
      IdentifierId links = field.links;
      if (const auto kind = identifier_by_name_.find(field.symbol.name);
          links.is_none() && kind != NameTable::absent)
        links = IdentifierId::of(kind);
      // An identifier is personal, whatever its type.
      if (field.is_private || !links.is_none() || field.type.kind == Kind::Text)
        layout.may_quote[i] = false;
      add(field.symbol, {.field = FieldId::of(i), .links = links});
    }
    for (std::size_t i = 0; i < schema_.identifiers.size(); ++i) {
      if (layout.by_name.find(schema_.identifiers[i]) != NameTable::absent) continue;
      Symbol symbol{schema_.identifiers[i], ""};
      for (const Attribute& attribute : schema_.attributes)
        if (attribute.identifier == IdentifierId::of(i)) symbol.alias = attribute.symbol.alias;
      add(symbol, {.links = IdentifierId::of(i), .kind = identifier_kinds_[i]});
    }
    layout.seen.assign(layout.targets.size(), 0);
  }

  // ---- Sentences

  bool reject(std::string sentence) {
    reason_ = std::move(sentence);
    return false;
  }
  bool twice(std::string_view name) {
    return reject("`" + std::string(name) + "` is given twice; leave one of them out");
  }
  Decoded missing_part(const char* name, const char* what) {
    reject(std::string("has no `") + name + "`; give " + what);
    return Decoded::Rejected;
  }
  std::string name_of_field(const Incoming& into, const Target& target) const {
    return "`" + target.name + "` of `" + schema_[into.event.type].symbol.name + "`";
  }
  bool reject_field(const Incoming& into, const Target& target, const std::string& fault) {
    return reject(name_of_field(into, target) + " " + fault);
  }
  void count_unknown_field(EventTypeId type, std::string_view name) {
    scratch_ = schema_[type].symbol.name;
    scratch_ += '.';
    scratch_ += name;
    unknown_fields_.count(scratch_);
  }

  // ---- Tokens

  bool tokenise(std::string_view line) {
    if (line.size() > longest_line)
      return reject(
          "is longer than 1 MiB; an event is one line of JSON, so split it or leave data out");
    text_ = line.data();
    size_ = line.size();
    at_ = 0;
    const auto error = tokens_->stage1(reinterpret_cast<const std::uint8_t*>(text_), size_,
                                       simdjson::stage1_mode::regular);
    if (error != simdjson::SUCCESS) return reject_line(line, error);
    positions_ = tokens_->structural_indexes.get();
    count_ = tokens_->n_structural_indexes;
    has_escapes_ = std::memchr(text_, '\\', size_) != nullptr;
    return true;
  }

  bool reject_line(std::string_view line, simdjson::error_code error) {
    switch (error) {
      case simdjson::UTF8_ERROR:
        return reject("is not valid UTF-8 at byte " + std::to_string(find_invalid_utf8(line) + 1) +
                      "; save the file as UTF-8");
      case simdjson::UNESCAPED_CHARS:
        return reject(
            line.find('\0') != std::string_view::npos
                ? "holds a NUL character; leave it out"
                : "holds a control character inside a text; write it escaped, as \\n or \\t");
      case simdjson::UNCLOSED_STRING:
        return reject("is not JSON: a text does not end; close it with a quote");
      case simdjson::EMPTY: return reject("is empty; give one JSON object on each line");
      default:
        // The first stage takes invalid UTF-8 outside of texts for something else.
        if (find_invalid_utf8(line) != std::string_view::npos)
          return reject_line(line, simdjson::UTF8_ERROR);
        return reject("is not JSON");
    }
  }

  bool at_end() {
    if (at_ == count_) return true;
    return reject("goes on behind the JSON object at column " + column() +
                  "; one line is one event");
  }
  // The character with which the token at hand begins; 0 behind the last.
  char token() const { return at_ < count_ ? text_[positions_[at_]] : '\0'; }
  std::size_t token_begin() const { return at_ < count_ ? positions_[at_] : size_; }
  // Where the token ends: behind its last character that is no blank.
  [[gnu::always_inline]] std::size_t token_end() const {
    std::size_t end = at_ + 1 < count_ ? positions_[at_ + 1] : size_;
    while (is_space(text_[end - 1])) --end;
    return end;
  }
  std::string column() const { return std::to_string(token_begin() + 1); }
  bool not_json(const char* wanted) {
    if (at_ >= count_)
      return reject(std::string("is not JSON: it ends where ") + wanted + " should be");
    if (text_[token_begin()] == '\0') return reject("holds a NUL character; leave it out");
    return reject("is not JSON at column " + column() + ": " + wanted + " should be here");
  }

  // The text at hand, as it is if it has no escapes, else in `room`.
  [[gnu::always_inline]] bool raw_string(std::string_view& out, std::string& room) {
    const std::size_t begin = token_begin() + 1;
    const std::size_t end = token_end() - 1;  // its closing quote
    if (end < begin || text_[end] != '"') [[unlikely]]
      return not_json("the end of a text");
    out = {text_ + begin, end - begin};
    if (has_escapes_) [[unlikely]]
      if (out.find('\\') != std::string_view::npos) {
        if (!unescape(out, room)) return false;
        out = room;
      }
    ++at_;
    return true;
  }

  bool unescape(std::string_view raw, std::string& room) {
    room.clear();
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\') {
        room.push_back(raw[i]);
        continue;
      }
      if (++i >= raw.size()) return not_json("the end of a text");
      switch (raw[i]) {
        case '"':
        case '\\':
        case '/': room.push_back(raw[i]); break;
        case 'b': room.push_back('\b'); break;
        case 'f': room.push_back('\f'); break;
        case 'n': room.push_back('\n'); break;
        case 'r': room.push_back('\r'); break;
        case 't': room.push_back('\t'); break;
        case 'u': {
          std::uint32_t unit = 0, low = 0;
          if (!hex4(raw, i, unit)) return false;
          if (unit >= 0xdc00 && unit <= 0xdfff) return half_character();
          if (unit >= 0xd800 && unit <= 0xdbff) {
            if (i + 2 >= raw.size() || raw[i + 1] != '\\' || raw[i + 2] != 'u')
              return half_character();
            i += 2;
            if (!hex4(raw, i, low)) return false;
            if (low < 0xdc00 || low > 0xdfff) return half_character();
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
          }
          if (unit == 0) return reject("holds a NUL character (\\u0000); leave it out");
          append_utf8(room, unit);
          break;
        }
        default:
          return reject(
              "is not JSON: a text has a \\ before a character that needs none; write \\\\");
      }
    }
    return true;
  }
  // Reads the four digits behind raw[i] == 'u' and leaves i on the last.
  bool hex4(std::string_view raw, std::size_t& i, std::uint32_t& unit) {
    if (i + 4 >= raw.size()) return reject("is not JSON: \\u needs four hexadecimal digits");
    for (int digit = 0; digit < 4; ++digit) {
      const char c = raw[++i];
      std::uint32_t nibble = 0;
      if (c >= '0' && c <= '9')
        nibble = static_cast<std::uint32_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        nibble = static_cast<std::uint32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F')
        nibble = static_cast<std::uint32_t>(c - 'A' + 10);
      else
        return reject("is not JSON: \\u needs four hexadecimal digits");
      unit = unit * 16 + nibble;
    }
    return true;
  }
  bool half_character() {
    return reject("holds half a character (a lone \\ud800 to \\udfff); write the character itself");
  }

  // A text as the value of a part of the event's head.
  bool string(std::string_view& out, const char* name) {
    if (token() == '"') return raw_string(out, value_room_);
    if (at_ >= count_) return not_json("a value");
    return reject(std::string("`") + name + "` is " + seen_kind() + "; give a text in quotes");
  }
  std::string seen_kind() const {
    switch (token()) {
      case '"': return "a text";
      case '{': return "an object";
      case '[': return "a list";
      case 't':
      case 'f': return "true or false";
      case 'n': return "null";
      default: return "a number";
    }
  }

  bool literal(std::string_view word) {
    const std::size_t begin = token_begin(), end = token_end();
    if (std::string_view(text_ + begin, end - begin) != word) return not_json("a value");
    ++at_;
    return true;
  }

  // Calls `member(key)` for each member, which reads its value.
  template <class Member>
  bool object(Member&& member) {
    if (token() != '{') return not_json("an object in { }");
    ++at_;
    if (token() == '}') return ++at_, true;
    for (;;) {
      if (token() != '"') return not_json("a name in quotes");
      std::string_view key;
      if (!raw_string(key, key_room_)) return false;
      if (token() != ':') return not_json("a colon");
      ++at_;
      if (!member(key)) return false;
      const char c = token();
      if (c != ',' && c != '}') return not_json("a comma or the end of the object");
      ++at_;
      if (c == '}') return true;
    }
  }

  // Reads past a value, which must be JSON all the same.
  bool skip(int depth) {
    if (depth > deepest_json)
      return reject("has objects or lists nested more than " + std::to_string(deepest_json) +
                    " deep; flatten them");
    switch (token()) {
      case '"': {
        std::string_view ignored;
        return raw_string(ignored, value_room_);
      }
      case '{': return object([&](std::string_view) { return skip(depth + 1); });
      case '[':
        ++at_;
        if (token() == ']') return ++at_, true;
        for (;;) {
          if (!skip(depth + 1)) return false;
          const char c = token();
          if (c != ',' && c != ']') return not_json("a comma or the end of the list");
          ++at_;
          if (c == ']') return true;
        }
      case 't': return literal("true");
      case 'f': return literal("false");
      case 'n': return literal("null");
      default: {
        std::string_view digits;
        return number(digits);
      }
    }
  }

  bool number(std::string_view& digits) {
    const std::size_t begin = token_begin();
    if (at_ >= count_ || !(text_[begin] == '-' || (text_[begin] >= '0' && text_[begin] <= '9')))
      return not_json("a value");
    digits = {text_ + begin, token_end() - begin};
    if (!is_number(digits)) return not_json("a number");
    ++at_;
    return true;
  }

  static bool is_number(std::string_view text) {
    const auto digit = [&](std::size_t i) {
      return i < text.size() && text[i] >= '0' && text[i] <= '9';
    };
    std::size_t i = text[0] == '-' ? 1 : 0;
    if (!digit(i)) return false;
    if (text[i] == '0')
      ++i;
    else
      while (digit(i)) ++i;
    if (i < text.size() && text[i] == '.') {
      if (!digit(++i)) return false;
      while (digit(i)) ++i;
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
      ++i;
      if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
      if (!digit(i)) return false;
      while (digit(i)) ++i;
    }
    return i == text.size();
  }

  // ---- The event

  struct Parts {
    bool id = false, type = false, time = false, subject = false, data_read = false;
  };

  void begin(Incoming& into) {
    ++serial_;
    into.event.type = EventTypeId::none();
    into.subject_kind = IdentifierId::none();
    into.to_everyone = false;
    identifiers_used_ = 0;
  }

  bool top_level(std::string_view key, Incoming& into) {
    std::string_view text;
    if (is(key, "id")) {
      if (parts_.id) return twice(key);
      parts_.id = true;
      return string(text, "id") && set_id(text, into);
    }
    if (is(key, "type")) {
      if (parts_.type) return twice(key);
      parts_.type = true;
      return string(text, "type") && set_type(text, into);
    }
    if (is(key, "time")) {
      if (parts_.time) return twice(key);
      parts_.time = true;
      return string(text, "time") && instant(text, into.event.time);
    }
    if (is(key, "subject")) {
      if (parts_.subject) return twice(key);
      parts_.subject = true;
      return string(text, "subject") && set_subject(text, into);
    }
    if (is(key, "data")) {
      if (data_at_ != 0) return twice(key);
      data_at_ = at_;
      if (token() == 'n') return parts_.data_read = true, literal("null");
      if (token() != '{') {
        if (at_ >= count_) return not_json("a value");
        return reject("`data` is " + seen_kind() + "; give an object with the event's fields");
      }
      // Before the type is known, and of a type that nobody knows, it is only read past.
      if (!parts_.type || into.event.type.is_none()) return skip(1);
      parts_.data_read = true;
      return data(into);
    }
    return skip(1);  // specversion, source and further attributes of CloudEvents
  }

  bool instant(std::string_view text, Timestamp& time) {
    const auto read = parse_instant(text);
    if (!read)
      return reject(
          "`time` is " + quoted(text) +
          ", which is not an instant with its offset; write it as \"2026-11-11T20:00:00+08:00\"");
    if (*read < earliest_accepted || *read > latest_accepted)
      return reject(
          "`time` is " + quoted(text) +
          ", which is not between the years 1970 and 2199; correct the source's clock or format");
    time = *read;
    return true;
  }

  bool set_id(std::string_view text, Incoming& into) {
    if (text.empty()) return reject("`id` is empty; give a text that names this event alone");
    if (text.size() > longest_id)
      return reject("`id` is longer than 1,024 bytes; give a shorter one");
    into.event.id.assign(text);
    return true;
  }

  bool set_type(std::string_view text, Incoming& into) {
    if (text.empty())
      return reject("`type` is empty; give the name of one of the program's events");
    const std::uint16_t found = type_by_name_.find(text);
    if (found == NameTable::absent)
      unknown_types_.count(text);
    else
      into.event.type = EventTypeId::of(found);
    return true;
  }

  bool set_subject(std::string_view text, Incoming& into) {
    if (text.empty())
      return reject("`subject` is empty; give the customer's id, or an identifier as `kind:value`");
    if (text.size() > longest_id)
      return reject("`subject` is longer than 1,024 bytes; give a shorter one");
    if (text == "*") {
      into.to_everyone = true;
      into.event.customer.assign(text);
      return true;
    }
    if (const auto colon = text.find(':'); colon != std::string_view::npos) {
      const std::string_view kind = text.substr(0, colon);
      const std::uint16_t found = identifier_by_name_.find(kind);
      if (found == NameTable::absent)
        return reject(
            "`subject` begins with " + quoted(kind) +
            " and a colon, which is no identifier of the program; declare it with `identify by`, "
            "or give a customer id without a colon");
      into.subject_kind = IdentifierId::of(found);
      const auto kept = reader_.text_of(identifier_kinds_[found], text.substr(colon + 1));
      if (!kept || kept->empty())
        return reject(
            "`subject` is a `" + std::string(kind) + "` whose value is not " +
            (kept ? "there" : std::string(koi::description_of(identifier_kinds_[found]))) +
            "; correct it at the source");
      text = *kept;
    }
    into.event.customer.assign(text);
    return true;
  }

  // A target's second value in one event is refused.
  bool see(Layout& layout, std::uint16_t target) {
    if (layout.seen[target] == serial_) return false;
    layout.seen[target] = serial_;
    return true;
  }

  bool data(Incoming& into) {
    Layout& layout = layouts_[into.event.type.index()];
    const std::size_t fields = schema_[into.event.type].fields.size();
    if (into.event.fields.size() != fields) into.event.fields.resize(fields);
    return object([&](std::string_view key) {
      const std::uint16_t found = layout.by_name.find(key);
      if (found == NameTable::absent) {
        count_unknown_field(into.event.type, key);
        return skip(2);
      }
      if (!see(layout, found)) return twice(key);
      return field(layout, found, into);
    });
  }

  bool field(Layout& layout, std::uint16_t number_of_target, Incoming& into) {
    const Target& target = layout.targets[number_of_target];
    switch (token()) {
      case '"': {
        std::string_view text;
        if (!raw_string(text, value_room_)) return false;
        return set_text(layout, target, text, into, /*bare=*/false);
      }
      case 'n':  // null: as if it were not there
        if (!literal("null")) return false;
        layout.seen[number_of_target] = 0;
        return true;
      case 't':
      case 'f': {
        const bool truth = token() == 't';
        if (!literal(truth ? "true" : "false")) return false;
        if (target.field && type_of(into, target).kind == Kind::Bool)
          return into.event.fields[target.field.index()] = Value::boolean(truth), true;
        return wrong_kind(into, target, "is true or false");
      }
      case '[':
        if (target.field && type_of(into, target).kind == Kind::List)
          return list(layout, target, into);
        return wrong_kind(into, target, "is a list");
      case '{': return wrong_kind(into, target, "is an object");
      default: {
        std::string_view digits;
        if (!number(digits)) return false;
        if (target.field.is_none()) return wrong_kind(into, target, "is a number");
        std::string fault;
        const std::size_t i = target.field.index();
        if (reader_.from_number(type_of(into, target), digits, layout.may_quote[i],
                                into.event.fields[i], fault))
          return true;
        return reject_field(into, target, fault);
      }
    }
  }

  const Type& type_of(const Incoming& into, const Target& target) const {
    return schema_[into.event.type].fields[target.field.index()].type;
  }
  bool wrong_kind(const Incoming& into, const Target& target, const char* what) {
    return reject_field(
        into, target,
        std::string(what) + "; give " +
            (target.field ? description_of(schema_, type_of(into, target))
                          : std::string(koi::description_of(target.kind)) + " in quotes"));
  }

  bool set_text(const Layout& layout, const Target& target, std::string_view text, Incoming& into,
                bool bare) {
    fault_.clear();
    if (target.field.is_none()) {
      const auto kept = reader_.text_of(target.kind, text);
      if (!kept || kept->empty() || kept->size() > longest_id)
        return reject_field(into, target,
                            "is not " + (kept ? "between 1 and 1,024 bytes long"
                                              : std::string(koi::description_of(target.kind))));
      put_unique(into.event.identifiers, identifiers_used_, target.links, *kept);
      return true;
    }
    const std::size_t i = target.field.index();
    if (into.event.fields.size() <= i)
      into.event.fields.resize(schema_[into.event.type].fields.size());
    Value& value = into.event.fields[i];
    const Type& type = schema_[into.event.type].fields[i].type;
    if (type.kind == Kind::Text && type.text == TextKind::Plain) [[likely]] {
      value = Value::text(text);
    } else {
      const bool read = bare
                            ? reader_.from_bare_text(type, text, layout.may_quote[i], value, fault_)
                            : reader_.from_text(type, text, layout.may_quote[i], value, fault_);
      if (!read) return reject_field(into, target, fault_);
    }
    if (target.links) {
      const auto kept = reader_.text_of(identifier_kinds_[target.links.index()], text);
      if (!kept || kept->size() > longest_id)
        return reject_field(
            into, target,
            "is not " + std::string(koi::description_of(identifier_kinds_[target.links.index()])));
      if (!kept->empty())
        put_unique(into.event.identifiers, identifiers_used_, target.links, *kept);
    }
    return true;
  }

  bool list(const Layout& layout, const Target& target, Incoming& into) {
    const Type& type = type_of(into, target);
    const Type element{
        .kind = type.element, .text = type.element_text, .enumeration = type.enumeration};
    const std::size_t i = target.field.index();
    std::vector<Value> elements;
    ++at_;
    if (token() == ']') {
      ++at_;
    } else {
      for (;;) {
        Value value;
        fault_.clear();
        bool read = false;
        if (token() == '"') {
          std::string_view text;
          if (!raw_string(text, value_room_)) return false;
          read = reader_.from_text(element, text, layout.may_quote[i], value, fault_);
        } else if ((token() == 't' || token() == 'f') && element.kind == Kind::Bool) {
          const bool truth = token() == 't';
          if (!literal(truth ? "true" : "false")) return false;
          value = Value::boolean(truth);
          read = true;
        } else if (token() == '-' || (token() >= '0' && token() <= '9')) {
          std::string_view digits;
          if (!number(digits)) return false;
          read = reader_.from_number(element, digits, layout.may_quote[i], value, fault_);
        } else if (at_ >= count_ || token() == ',' || token() == ']' || token() == '}' ||
                   token() == ':') {
          return not_json("a value");
        } else {
          fault_ = "is " + seen_kind() + "; give " + description_of(schema_, element);
        }
        if (!read) return reject_field(into, target, "has an element which " + fault_);
        elements.push_back(std::move(value));
        const char c = token();
        if (c != ',' && c != ']') return not_json("a comma or the end of the list");
        ++at_;
        if (c == ']') break;
      }
    }
    into.event.fields[i] = Value::list(std::move(elements));
    return true;
  }

  // Fields that were not given get their default, are missing, or are missed.
  bool finish(Incoming& into) {
    const EventType& type = schema_[into.event.type];
    const Layout& layout = layouts_[into.event.type.index()];
    if (type.to_everyone != into.to_everyone)
      return reject(type.to_everyone ? "`" + type.symbol.name +
                                           "` happens to everyone; give `*` as its `subject`"
                                     : "`subject` is `*`, but `" + type.symbol.name +
                                           "` happens to one customer; give his id");
    if (type.to_everyone) identifiers_used_ = 0;  // what it holds is nobody's
    if (into.event.fields.size() != type.fields.size())
      into.event.fields.resize(type.fields.size());
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      if (layout.seen[i] == serial_) continue;  // fields are the first targets
      const Field& field = type.fields[i];
      if (field.fallback.is_missing() && !field.type.optional)
        return reject("`" + type.symbol.name + "` has no `" + field.symbol.name + "`; give " +
                      description_of(schema_, field.type) + " in `data`");
      into.event.fields[i] = field.fallback;
    }
    if (into.event.type == koi::type_of(EngineEvent::Redeemed)) {
      const Value& off = into.event.fields[incentive_field::amount];
      if (!off.is_missing() && off.raw() < 0)
        return reject("`amount` of `" + type.symbol.name +
                      "` is negative; give what was taken off, which is not less than nothing");
    }
    into.event.identifiers.resize(identifiers_used_);
    return true;
  }

  const Schema& schema_;
  EntryReader reader_;
  std::vector<Layout> layouts_;  // by event type
  NameTable type_by_name_, identifier_by_name_;
  std::vector<TextKind> identifier_kinds_;

  std::unique_ptr<simdjson::internal::dom_parser_implementation> tokens_;
  const char* text_ = nullptr;
  std::size_t size_ = 0;
  const std::uint32_t* positions_ = nullptr;
  std::size_t count_ = 0;
  std::size_t at_ = 0;
  bool has_escapes_ = false;

  Parts parts_;
  std::size_t data_at_ = 0;
  std::uint64_t serial_ = 0;
  std::size_t identifiers_used_ = 0;
  std::string key_room_, value_room_, scratch_, fault_;
};

Decoder::Decoder(const plan::Plan& plan) : impl_(std::make_unique<Impl>(plan)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoded Decoder::decode(std::string_view line, Incoming& into) { return impl_->decode(line, into); }
Decoded Decoder::decode(const Texts& row, Incoming& into) { return impl_->decode(row, into); }
std::optional<Timestamp> Decoder::time_of(std::string_view line) { return impl_->time_of(line); }
const std::string& Decoder::reason() const { return impl_->reason_; }
const UnknownNames& Decoder::unknown_types() const { return impl_->unknown_types_; }
const UnknownNames& Decoder::unknown_fields() const { return impl_->unknown_fields_; }

}  // namespace koi::runtime
