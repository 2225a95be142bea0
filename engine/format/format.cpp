#include "format/format.h"

#include <algorithm>

#include "base/assert.h"
#include "format/detail/sentence.h"
#include "format/detail/spelling.h"
#include "lang/dump.h"
#include "lang/outline.h"

namespace koi::format {
namespace {

using lang::Rule;

constexpr std::uint32_t nowhere = UINT32_MAX;

bool is_one_of(Rule rule, std::initializer_list<Rule> rules) {
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}
bool is_one_of(Kind kind, std::initializer_list<Kind> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}
bool is_unit(Kind kind) { return kind >= Kind::SECOND && kind <= Kind::SUNDAY; }

// Sentences of these always stand on lines of their own.
bool always_expanded(Rule rule) {
  return is_one_of(rule, {Rule::CampaignDeclaration, Rule::TestDeclaration, Rule::PolicyDeclaration,
                          Rule::CustomerDeclaration, Rule::TierDeclaration, Rule::CouponDeclaration,
                          Rule::RedPacketDeclaration, Rule::PrizeDrawDeclaration,
                          Rule::ReferralDeclaration, Rule::SplitStep, Rule::ChooseStep});
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string or_else(std::string_view word, const std::string& otherwise) {
  return word.empty() ? otherwise : std::string(word);
}

class Reader {
 public:
  Reader(const Source& source, const lang::Outlined& read, const Options& options,
         bool keep_separators)
      : text_(source.text()),
        lexed_(read.lexed),
        outline_(read.outline),
        options_(options),
        keep_separators_(keep_separators),
        language_(options.into.value_or(language_of_file())) {
    attach_comments();
  }

  std::string formatted() {
    std::vector<Sentence> sentences;
    for (const auto& child : children(0)) {
      if (child.is_token) {
        separator(child.index, sentences.empty() ? nullptr : &sentences.back());
      } else {
        sentences.push_back(sentence(child.index));
      }
    }
    auto& at_end = above_[lexed_.tokens.size() - 1];
    at_end.insert(at_end.begin(), left_over_.begin(), left_over_.end());
    return lay_out(sentences, at_end);
  }

 private:
  struct Child {
    bool is_token;
    std::uint32_t index;
  };

  const lang::Stretch& stretch(std::uint32_t index) const { return outline_.stretches[index]; }
  const lang::Token& token(std::uint32_t index) const { return lexed_.tokens[index]; }
  Rule rule_of(std::uint32_t token) const { return stretch(outline_.innermost[token]).rule; }
  std::string_view written(std::uint32_t index) const {
    return text_.substr(token(index).begin, token(index).end - token(index).begin);
  }
  const std::string& value(std::uint32_t index) const { return lexed_.values[token(index).value]; }

  std::vector<Child> children(std::uint32_t index) const;
  Language language_of_file() const;
  Language language_of_keyword(std::uint32_t index) const {
    return options_.into.value_or(language_of(written(index)));
  }
  void attach_comments();

  Sentence sentence(std::uint32_t index);
  void parts(std::uint32_t index, Sentence& out);
  void body(const std::vector<Child>& all, std::size_t& at, Rule rule, Rule parent, Sentence& out);
  void schedule_of_month(std::uint32_t index, Sentence& out);
  void text(std::uint32_t index, Sentence& out);
  void word(std::uint32_t index, Sentence& out);
  void separator(std::uint32_t index, Sentence* behind);
  void leave_out(std::uint32_t index);
  void add(std::string text, std::uint32_t token, Kind kind, Rule rule, Sentence& out);

  std::string keyword(std::uint32_t index, Rule rule) const;
  std::string name(std::uint32_t index) const;
  std::string literal(std::uint32_t index) const;
  std::string flat_text(std::uint32_t first, std::uint32_t last);
  std::string inserted(std::uint32_t first, std::uint32_t last);
  bool is_of_given_customer(std::uint32_t stretch) const;
  Language language_of_length(std::uint32_t index) const {
    return options_.into.value_or(language_of_duration(written(index), language_));
  }
  bool stands_for_no(std::uint32_t index) const;
  bool is_one_with_next(std::uint32_t index) const;
  bool may_translate(std::string_view from, std::string_view to) const {
    return !to.empty() && !options_.declared.contains(from) && !options_.declared.contains(to);
  }
  Piece piece(std::string text, std::uint32_t token, Kind kind, Rule rule);

  std::string_view text_;
  const lang::Lexed& lexed_;
  const lang::Outline& outline_;
  const Options& options_;
  bool keep_separators_;
  Language language_;

  std::vector<std::vector<Comment>> above_;  // for each token, on lines of their own
  std::vector<std::string> beside_;          // for each token, behind it
  std::vector<bool> blank_before_;           // for each token

  // What was written last in the sentence at hand, and what holds for the next word.
  struct Place {
    bool begins = true;
    bool glue = false;  // no blank before it
    bool gap = false;   // two blanks before it
    bool cell = false;  // it begins a cell
    Kind last = Kind::END_OF_FILE;
    int depth = 0;
  };
  Place place_;
  std::vector<Comment> left_over_;  // comments of words that are left out
};

std::vector<Reader::Child> Reader::children(std::uint32_t index) const {
  std::vector<Child> all;
  const auto& self = stretch(index);
  auto at = self.first;
  for (auto inner = index + 1; inner < self.next; inner = stretch(inner).next) {
    const auto& child = stretch(inner);
    if (child.first == child.last) continue;
    for (; at < child.first; ++at) all.push_back({true, at});
    all.push_back({false, inner});
    at = child.last;
  }
  for (; at < self.last; ++at) {
    if (token(at).kind != Kind::END_OF_FILE) all.push_back({true, at});
  }
  return all;
}

// That in which most declarations begin; of equally many the first.
Language Reader::language_of_file() const {
  int english = 0, chinese = 0;
  std::optional<Language> first;
  for (const auto& each : outline_.stretches) {
    if (each.rule != Rule::Declaration) continue;
    const auto language = language_of(written(each.first));
    if (!first) first = language;
    ++(language == Language::English ? english : chinese);
  }
  if (english == chinese) return first.value_or(Language::English);
  return english > chinese ? Language::English : Language::Chinese;
}

// A comment belongs to the word before it on its line, else to the word after it.
void Reader::attach_comments() {
  const auto count = lexed_.tokens.size();
  above_.resize(count);
  beside_.resize(count);
  blank_before_.resize(count);
  std::uint32_t end = 0;  // of what was read last
  std::size_t comment = 0;
  const auto lines_to = [&](std::uint32_t place) {
    return std::count(text_.begin() + end, text_.begin() + place, '\n');
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    while (comment < lexed_.comments.size() && lexed_.comments[comment].begin < token(i).begin) {
      const auto& place = lexed_.comments[comment++];
      std::string words(text_.substr(place.begin, place.end - place.begin));
      std::size_t behind = 0;
      decode_utf8(words, behind);
      words = "#" + words.substr(behind);
      while (!words.empty() && (words.back() == ' ' || words.back() == '\t')) words.pop_back();
      const auto lines = lines_to(place.begin);
      if (lines == 0 && i > 0 && beside_[i - 1].empty() && above_[i].empty()) {
        beside_[i - 1] = words;
      } else {
        above_[i].push_back({words, lines >= 2});
      }
      end = place.end;
    }
    blank_before_[i] = lines_to(token(i).begin) >= 2;
    end = token(i).end;
  }
}

// ------------------------------------------------------------------------------------ sentences

Sentence Reader::sentence(std::uint32_t index) {
  Sentence out;
  place_ = {};
  auto inner = index;
  while (
      is_one_of(stretch(inner).rule, {Rule::Declaration, Rule::CustomerItem, Rule::CampaignItem})) {
    ++inner;
  }
  const auto rule = stretch(inner).rule;
  if (rule == Rule::Step && stretch(index).rule == Rule::CampaignItem) out.deeper = 1;
  if (is_one_of(rule,
                {Rule::Field, Rule::OnEvent, Rule::TierLevel, Rule::ContentItem,
                 Rule::EventDeclaration, Rule::MetricDeclaration, Rule::SegmentDeclaration,
                 Rule::LetDeclaration, Rule::ContentDeclaration, Rule::ChannelDeclaration,
                 Rule::TeamDeclaration, Rule::WebhookDeclaration, Rule::AudienceDeclaration})) {
    out.alignment = static_cast<int>(rule);
  }
  parts(inner, out);
  int blocks = 0;
  for (const auto& part : out.parts) blocks += std::holds_alternative<Body>(part) ? 1 : 0;
  if (blocks > 1) {
    for (auto& part : out.parts)
      if (auto* each = std::get_if<Body>(&part)) each->may_be_one_line = false;
  }
  return out;
}

void Reader::parts(std::uint32_t index, Sentence& out) {
  const auto& self = stretch(index);
  const auto rule = self.rule;
  const auto parent = stretch(self.parent).rule;
  if (rule == Rule::Text) return text(index, out);
  const auto all = children(index);
  if (rule == Rule::Schedule && std::any_of(all.begin(), all.end(), [&](const Child& each) {
        return each.is_token && token(each.index).kind == Kind::MONTH;
      })) {
    return schedule_of_month(index, out);
  }
  // Columns of lines under each other: the name, the alias, the rest.
  const bool is_declaration =
      parent == Rule::Declaration && out.alignment == static_cast<int>(rule);
  const bool has_alias = std::any_of(all.begin(), all.end(), [&](const Child& each) {
    return !each.is_token && stretch(each.index).rule == Rule::Alias;
  });
  bool rest_begun = false;
  for (std::size_t at = 0; at < all.size(); ++at) {
    const auto& child = all[at];
    const auto kind = child.is_token ? token(child.index).kind : Kind::NAME;
    const auto inner = child.is_token ? Rule::Other : stretch(child.index).rule;
    if (inner == Rule::Alias && is_one_of(rule, {Rule::Field, Rule::TierLevel})) place_.cell = true;
    if (is_declaration && inner == Rule::Alias) place_.cell = true;
    if (is_declaration && !rest_begun && at >= 2 && inner != Rule::Alias) {
      rest_begun = true;
      if (!has_alias) {
        Piece nothing;
        nothing.blanks_before = 0;
        nothing.begins_cell = true;
        out.parts.emplace_back(nothing);
      }
      place_.cell = true;
    }
    if (rule == Rule::OnEvent && kind == Kind::SET) place_.cell = true;
    // A test's line: when, and what happens then.
    if (rule == Rule::TestLine && at == 2 && token(self.first).kind == Kind::AT) place_.gap = true;
    if (inner == Rule::Separator) {
      separator(stretch(child.index).first, &out);
      continue;
    }
    if (rule == Rule::ContentItem && at == 1 &&
        is_one_of(token(self.first).kind, {Kind::TITLE, Kind::BODY, Kind::LINK})) {
      place_.cell = true;
    }
    if (child.is_token && kind == Kind::LBRACE) {
      body(all, at, rule, parent, out);
      continue;
    }
    if (!child.is_token) {
      parts(child.index, out);
    } else {
      word(child.index, out);
    }
  }
  if (rule == Rule::Within && token(self.last - 1).kind != Kind::INSIDE &&
      language_of_keyword(self.first) == Language::Chinese) {
    place_.glue = language_of_length(self.last - 1) == Language::Chinese;
    add(std::string(spelled(Kind::INSIDE, Language::Chinese)), nowhere, Kind::INSIDE, rule, out);
  }
}

// all[at] is the opening brace; afterwards it is the closing one.
void Reader::body(const std::vector<Child>& all, std::size_t& at, Rule rule, Rule parent,
                  Sentence& out) {
  Body made;
  made.open = piece(std::string(sign(Kind::LBRACE, language_)), all[at].index, Kind::LBRACE, rule);
  bool joins = false;
  for (++at; at < all.size(); ++at) {
    const auto& child = all[at];
    if (child.is_token) {
      const auto kind = token(child.index).kind;
      if (kind == Kind::RBRACE) break;
      if (is_one_of(kind, {Kind::COMMA, Kind::SEMICOLON})) {
        separator(child.index, made.sentences.empty() ? nullptr : &made.sentences.back());
        continue;
      }
      Sentence begun;
      place_ = {};
      word(child.index, begun);
      made.sentences.push_back(std::move(begun));
      joins = true;
      continue;
    }
    if (stretch(child.index).rule == Rule::Separator) {
      separator(stretch(child.index).first,
                made.sentences.empty() ? nullptr : &made.sentences.back());
      continue;
    }
    if (joins) {
      parts(child.index, made.sentences.back());
      joins = false;
    } else {
      made.sentences.push_back(sentence(child.index));
    }
  }
  KOI_ASSERT(at < all.size());
  place_ = {.begins = false};
  made.close = piece(std::string(sign(Kind::RBRACE, language_)), all[at].index, Kind::RBRACE, rule);
  made.may_be_one_line = !always_expanded(rule);
  if (rule == Rule::Block) {
    const bool is_arm =
        parent == Rule::SplitArm || (parent == Rule::Branch && made.sentences.size() <= 1);
    const auto most = is_arm ? 2u : 1u;
    made.may_be_one_line =
        made.sentences.size() <= most &&
        std::none_of(made.sentences.begin(), made.sentences.end(), [](const Sentence& each) {
          return std::any_of(each.parts.begin(), each.parts.end(),
                             [](const auto& part) { return std::holds_alternative<Body>(part); });
        });
  }
  out.parts.emplace_back(std::move(made));
}

// `on the 1st of each month at 09:00`, `每月 1日 在 09:00`: the order of words is each language's.
void Reader::schedule_of_month(std::uint32_t index, Sentence& out) {
  const auto& self = stretch(index);
  std::string day, time;
  auto language = language_;
  std::vector<Comment> comments;
  std::string beside;
  for (auto i = self.first; i < self.last; ++i) {
    const auto kind = token(i).kind;
    if (kind == Kind::ORDINAL) day = value(i);
    if (kind == Kind::TIME) time = value(i);
    if (kind == Kind::MONTH && !options_.into) language = language_of(written(i));
    if (i > self.first) {
      comments.insert(comments.end(), above_[i].begin(), above_[i].end());
      above_[i].clear();
    }
    if (beside_[i].empty()) continue;
    if (beside.empty()) {
      beside = beside_[i];
    } else {
      comments.push_back({beside_[i], false});
    }
    beside_[i].clear();
  }
  if (beside.empty() && !comments.empty()) {
    beside = comments.front().text;
    comments.erase(comments.begin());
  }
  std::string words;
  if (language == Language::English) {
    words = "on the " + ordinal(day, language) + " of each month at " + time;
  } else {
    words = std::string(spelled(Kind::PER, language)) +
            std::string(spelled(Kind::MONTH, language)) + " " + ordinal(day, language) + " " +
            std::string(spelled(Kind::AT, language)) + " " + time;
  }
  beside_[self.last - 1].clear();
  add(std::move(words), self.first, Kind::TIME, Rule::Schedule, out);
  std::get<Piece>(out.parts.back()).beside = std::move(beside);
  left_over_.insert(left_over_.end(), comments.begin(), comments.end());
}

void Reader::text(std::uint32_t index, Sentence& out) {
  const auto& self = stretch(index);
  auto made = flat_text(self.first, self.last);
  // A comment within an insertion: the text stays as it is.
  for (auto i = self.first; i < self.last; ++i) {
    if ((i > self.first && !above_[i].empty()) || (i + 1 < self.last && !beside_[i].empty())) {
      made.clear();
      for (const char c : text_.substr(token(self.first).begin,
                                       token(self.last - 1).end - token(self.first).begin)) {
        if (c != '\r') made += c;
      }
      for (auto k = self.first; k < self.last; ++k) {
        if (k > self.first) above_[k].clear();
        if (k + 1 < self.last) beside_[k].clear();
      }
      break;
    }
  }
  const auto last = self.last - 1;
  add(std::move(made), self.first, Kind::TEXT, Rule::Text, out);
  if (last != self.first) {
    std::get<Piece>(out.parts.back()).beside = beside_[last];
    beside_[last].clear();
  }
}

std::string Reader::flat_text(std::uint32_t first, std::uint32_t last) {
  const auto whole = text_.substr(token(first).begin, token(last - 1).end - token(first).begin);
  Marks from;
  if (whole.starts_with("\"\"\"")) {
    from = {whole.substr(0, 3), whole.substr(whole.size() - 3)};
  } else {
    std::size_t behind = 0;
    decode_utf8(whole, behind);
    const auto open = whole.substr(0, behind);
    from = {open, open == "“" ? "”" : open};
  }
  // The pieces of this text itself, and what is inserted between them.
  struct Part {
    bool is_inserted;
    std::uint32_t first, last;
    std::string_view raw;
  };
  std::vector<Part> all;
  if (token(first).kind == Kind::TEXT) {
    const auto close = from.close;
    all.push_back({false, first, last,
                   whole.substr(from.open.size(), whole.size() - from.open.size() - close.size())});
  } else {
    std::uint32_t begin = 0;
    int depth = 0;
    for (auto i = first + 1; i + 1 < last; ++i) {
      const auto kind = token(i).kind;
      if (kind == Kind::INSERT_OPEN && depth++ == 0) begin = i + 1;
      if (kind == Kind::INSERT_CLOSE && --depth == 0) all.push_back({true, begin, i, {}});
      if (kind == Kind::TEXT_CHUNK && depth == 0) all.push_back({false, i, i + 1, written(i)});
    }
  }
  std::vector<std::string_view> raw;
  for (const auto& each : all)
    if (!each.is_inserted) raw.push_back(each.raw);
  const auto to = marks_for(from, raw, language_);
  std::string made(to.open);
  for (const auto& each : all) {
    if (!each.is_inserted) {
      made += requoted(each.raw, from, to);
      continue;
    }
    made += "{" + inserted(each.first, each.last) + "}";
  }
  return made + std::string(to.close);
}

// The expression that is made of exactly these words.
std::string Reader::inserted(std::uint32_t first, std::uint32_t last) {
  auto at = outline_.innermost[first];
  while (stretch(stretch(at).parent).first >= first && stretch(stretch(at).parent).last <= last) {
    at = stretch(at).parent;
  }
  const auto outside = place_;
  place_ = {};
  Sentence sentence;
  parts(at, sentence);
  place_ = outside;
  std::string made;
  for (const auto& part : sentence.parts) {
    const auto& piece = std::get<Piece>(part);
    made.append(static_cast<std::size_t>(piece.blanks_before), ' ');
    made += piece.text;
  }
  return made;
}

// ---------------------------------------------------------------------------------------- words

void Reader::leave_out(std::uint32_t index) {
  left_over_.insert(left_over_.end(), above_[index].begin(), above_[index].end());
  if (!beside_[index].empty()) left_over_.push_back({beside_[index], false});
  above_[index].clear();
  beside_[index].clear();
}

// A sign that only parts sentences, which lines and blanks do as well. What is beside it is beside
// the sentence before it.
void Reader::separator(std::uint32_t index, Sentence* behind) {
  Piece* last = nullptr;
  if (behind != nullptr) {
    auto* const body = std::get_if<Body>(&behind->parts.back());
    last = body != nullptr ? &body->close : &std::get<Piece>(behind->parts.back());
  }
  if (keep_separators_ && last != nullptr) {
    auto kept = piece(std::string(sign(token(index).kind, language_)), index, Kind::SEMICOLON,
                      Rule::Separator);
    kept.blanks_before = 0;
    behind->parts.emplace_back(std::move(kept));
    return;
  }
  if (last != nullptr && last->beside.empty() && above_[index].empty()) {
    last->beside = beside_[index];
    beside_[index].clear();
  }
  leave_out(index);
}

void Reader::word(std::uint32_t index, Sentence& out) {
  const auto kind = token(index).kind;
  const auto rule = rule_of(index);
  const bool names = is_one_of(rule, {Rule::Name, Rule::Word}) || kind == Kind::NAME ||
                     (rule == Rule::Label && lang::is_keyword(kind));
  if (names) return add(name(index), index, Kind::NAME, rule, out);
  if (kind == Kind::TEXT) return add(flat_text(index, index + 1), index, kind, rule, out);
  if (!lang::is_keyword(kind)) {
    const bool trails = kind == Kind::COMMA && is_one_of(rule, {Rule::List, Rule::EnumType}) &&
                        is_one_of(token(index + 1).kind, {Kind::RBRACKET, Kind::RPAREN});
    if (trails) return leave_out(index);
    if (rule == Rule::Comparator && kind == Kind::ASSIGN) {
      return add("==", index, Kind::EQUAL, rule, out);
    }
    return add(literal(index), index, kind, rule, out);
  }
  const auto language = language_of_keyword(index);
  if (rule == Rule::Within && kind == Kind::INSIDE) {
    if (language_of_keyword(stretch(outline_.innermost[index]).first) == Language::English) {
      return leave_out(index);
    }
    place_.glue = language_of_length(index - 1) == Language::Chinese;
    return add(std::string(spelled(kind, Language::Chinese)), index, kind, rule, out);
  }
  if (rule == Rule::WaitUntilStep && kind == Kind::AT) return leave_out(index);
  if (rule == Rule::WaitForStep && kind == Kind::FOR) return leave_out(index);
  if (rule == Rule::SendStep && kind == Kind::ELSE && place_.last != Kind::COMMA) {
    add(std::string(sign(Kind::COMMA, language_)), nowhere, Kind::COMMA, rule, out);
  }
  const bool joins = is_one_with_next(index);
  add(keyword(index, rule), index, kind, rule, out);
  place_.glue = place_.glue || joins;
  if (rule == Rule::WaitForStep && kind == Kind::WAIT && language == Language::English) {
    add(std::string(spelled(Kind::FOR, language)), nowhere, Kind::FOR, rule, out);
  }
}

// `每天`, `本月`, `每自然日` are written as one.
bool Reader::is_one_with_next(std::uint32_t index) const {
  const bool is_prefix =
      is_one_of(token(index).kind, {Kind::PER, Kind::EVERY, Kind::THIS, Kind::CALENDAR}) &&
      !is_one_of(rule_of(index), {Rule::Name, Rule::Word}) &&
      language_of_keyword(index) == Language::Chinese;
  if (!is_prefix || !beside_[index].empty() || !above_[index + 1].empty()) return false;
  const auto next = token(index + 1).kind;
  if (next == Kind::CALENDAR) return is_one_with_next(index + 1);
  return is_unit(next) && !is_one_of(rule_of(index + 1), {Rule::Name, Rule::Word}) &&
         language_of_keyword(index + 1) == Language::Chinese;
}

// Appends a word with what stands before and beside it.
void Reader::add(std::string text, std::uint32_t token, Kind kind, Rule rule, Sentence& out) {
  auto* const before =
      kind == Kind::COMMA && !out.parts.empty() ? std::get_if<Piece>(&out.parts.back()) : nullptr;
  if (before == nullptr) {
    out.parts.emplace_back(piece(std::move(text), token, kind, rule));
    return;
  }
  // No line begins with a comma, so it belongs to the word before it.
  const auto comma = piece(std::move(text), token, kind, rule);
  before->text += comma.text;
  left_over_.insert(left_over_.end(), comma.above.begin(), comma.above.end());
  if (comma.beside.empty()) return;
  if (before->beside.empty() && comma.above.empty()) {
    before->beside = comma.beside;
  } else {
    left_over_.push_back({comma.beside, false});
  }
}

Piece Reader::piece(std::string text, std::uint32_t index, Kind kind, Rule rule) {
  Piece made;
  made.text = std::move(text);
  auto& at = place_;
  if (is_one_of(kind, {Kind::RPAREN, Kind::RBRACKET})) at.depth = std::max(0, at.depth - 1);
  made.depth = at.depth;
  if (is_one_of(kind, {Kind::LPAREN, Kind::LBRACKET})) ++at.depth;

  const bool tight = is_one_of(kind, {Kind::RPAREN, Kind::RBRACKET, Kind::COMMA, Kind::SEMICOLON,
                                      Kind::COLON, Kind::QUESTION, Kind::DOT}) ||
                     (kind == Kind::LPAREN && is_one_of(rule, {Rule::Call, Rule::EnumType}));
  made.blanks_before = at.begins || at.glue || tight ? 0 : at.gap ? 2 : 1;
  const bool joins =
      is_one_of(kind, {Kind::AND, Kind::OR, Kind::AND_NO, Kind::THEN, Kind::WITHOUT, Kind::WHERE,
                       Kind::SET, Kind::WITHIN, Kind::VIA, Kind::OVER, Kind::UP_TO, Kind::FOR,
                       Kind::AMONG, Kind::REFRESHED, Kind::BECAUSE, Kind::PLUS});
  made.may_break = !at.begins && (at.last == Kind::COMMA || (joins && !at.glue));
  made.begins_cell = at.cell;
  // A full-width sign has its blank in itself.
  const bool wide_sign =
      language_ == Language::Chinese && is_one_of(kind, {Kind::COMMA, Kind::COLON});
  const bool is_negation = kind == Kind::MINUS && rule == Rule::Factor;
  at = {.begins = false,
        .glue =
            is_one_of(kind, {Kind::LPAREN, Kind::LBRACKET, Kind::DOT}) || wide_sign || is_negation,
        .last = kind,
        .depth = at.depth};
  made.above = std::move(left_over_);
  left_over_.clear();
  if (index != nowhere) {
    made.above.insert(made.above.end(), above_[index].begin(), above_[index].end());
    above_[index].clear();
    made.beside = beside_[index];
    beside_[index].clear();
    made.blank_before = blank_before_[index];
  }
  return made;
}

// The spelling of a keyword at its place. Where a language has several, the place decides.
std::string Reader::keyword(std::uint32_t index, Rule rule) const {
  auto kind = token(index).kind;
  const auto language = language_of_keyword(index);
  const bool english = language == Language::English;
  const auto next = index + 1 < lexed_.tokens.size() ? token(index + 1).kind : Kind::END_OF_FILE;
  const auto above = stretch(stretch(outline_.innermost[index]).parent).rule;
  switch (kind) {
    case Kind::PER:
    case Kind::EVERY: {
      const bool repeats = above == Rule::RepeatStep || above == Rule::CampaignClause;
      // `once per cart.sku`, but `every 3 days`.
      const bool is_key = above == Rule::CampaignClause && next != Kind::DURATION;
      const bool every = (repeats && !is_key) || (english && above == Rule::Schedule);
      kind = every || (rule != Rule::Per && kind == Kind::EVERY) ? Kind::EVERY : Kind::PER;
      break;
    }
    case Kind::ENTER:
      if (rule == Rule::Trigger) kind = Kind::ENTERS;
      break;
    case Kind::LEAVE:
      if (rule == Rule::Trigger) kind = Kind::LEAVES;
      break;
    case Kind::TO:
      if (rule == Rule::WaitUntilStep) {
        kind = Kind::UNTIL;
      } else if (!english && is_one_of(rule, {Rule::DateRange, Rule::PolicyClause,
                                              Rule::RedPacketClause, Rule::Expectation})) {
        return "至";
      } else if (!english && rule == Rule::ExpectedTail && token(index - 1).kind != Kind::NAME &&
                 token(stretch(outline_.innermost[index]).first).kind == Kind::AMOUNT) {
        return "至";
      }
      break;
    case Kind::UP_TO:
      if (english && rule == Rule::RepeatStep) return "at most";
      break;
    case Kind::NO:
      if (!english && is_one_of(rule, {Rule::Value, Rule::FieldDefault, Rule::Comparison})) {
        kind = Kind::FALSE;
      }
      break;
    case Kind::FALSE:
      if (english && stands_for_no(index)) kind = Kind::NO;
      break;
    case Kind::DAY:
      if (!english && index > 0 && is_one_of(token(index - 1).kind, {Kind::THIS, Kind::CALENDAR})) {
        return "日";
      }
      break;
    default: break;
  }
  return std::string(spelled(kind, language));
}

// Whether a `false` stands alone where `no` may stand.
bool Reader::stands_for_no(std::uint32_t index) const {
  auto at = outline_.innermost[index];
  while (at != 0 && stretch(stretch(at).parent).first == index &&
         stretch(stretch(at).parent).last == index + 1) {
    at = stretch(at).parent;
    if (is_one_of(stretch(at).rule, {Rule::Value, Rule::FieldDefault})) return true;
  }
  const auto& whole = stretch(stretch(at).parent);
  return whole.rule == Rule::Comparison && whole.last == index + 1 && whole.first < index &&
         rule_of(index - 1) == Rule::Comparator;
}

std::string Reader::literal(std::uint32_t index) const {
  const auto kind = token(index).kind;
  switch (kind) {
    case Kind::MONEY: return money(written(index), value(index), language_);
    case Kind::DURATION: return duration(written(index), language_of_length(index));
    case Kind::ORDINAL:
      return ordinal(
          value(index),
          options_.into.value_or(language_of(folded(written(index)).substr(value(index).size()))));
    case Kind::TIME:
    case Kind::DATE:
    case Kind::INSTANT: return value(index);
    case Kind::LOCAL_TIME: {
      auto time = value(index);
      std::replace(time.begin(), time.end(), 'T', ' ');
      return time;
    }
    default: break;
  }
  const auto made = sign(kind, language_);
  return made.empty() ? folded(written(index)) : std::string(made);
}

std::string Reader::name(std::uint32_t index) const {
  const auto kind = token(index).kind;
  const auto source = written(index);
  if (source.starts_with('`')) return "`" + value(index) + "`";
  std::string plain;
  if (kind == Kind::NAME) {
    plain = value(index);
  } else {
    for (const char c : folded(source)) {
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        if (!plain.ends_with(' ')) plain += ' ';
      } else {
        plain += c;
      }
    }
  }
  if (!options_.into) return plain;

  // Words of the language itself that stand where names do.
  const auto self = outline_.innermost[index];
  const auto& above = stretch(stretch(self).parent);
  const auto rule = above.rule;
  const auto language = *options_.into;
  if (rule == Rule::Type) return or_else(translated_type(plain, language), plain);
  const auto to = translated(plain, language);
  if (rule == Rule::Call) return or_else(to, plain);
  const auto in_english = translated(plain, Language::English);
  const bool is_class = is_one_of(
      in_english, {"marketing", "transactional", "service", "conversation", "broadcast", "direct"});
  if (is_class && is_one_of(rule, {Rule::CampaignClause, Rule::ChannelClause})) {
    return or_else(to, plain);
  }
  if (!may_translate(plain, to)) return plain;
  if (is_class && rule == Rule::PolicyClause) return std::string(to);
  if (rule == Rule::Refusal && is_one_of(in_english, {"self", "cycle"})) return std::string(to);
  if (rule == Rule::CouponClause && is_one_of(in_english, {"none", "any", "best"}))
    return std::string(to);
  const bool is_head = rule == Rule::Path && above.first == index;
  if (is_head && kind == Kind::CUSTOMER &&
      (token(index + 1).kind == Kind::DOT || stretch(above.parent).rule == Rule::LimitItem)) {
    return std::string(to);
  }
  // `{first_order.valid_until}`
  if (rule == Rule::Path && !is_head && is_one_of(in_english, {"valid_until", "scene"}))
    return std::string(to);
  // `given customer ann { consent: marketing  hold_out: no }`
  const bool is_knob_label = rule == Rule::Label && is_one_of(in_english, {"consent", "hold_out"});
  if ((is_knob_label || (is_class && is_head)) && is_of_given_customer(self))
    return std::string(to);
  return plain;
}

bool Reader::is_of_given_customer(std::uint32_t index) const {
  auto at = index;
  while (at != 0 && stretch(at).rule != Rule::Settings) at = stretch(at).parent;
  const auto& line = stretch(stretch(at).parent);
  return line.rule == Rule::TestLine && token(line.first).kind == Kind::GIVEN;
}

// A tree as text in which the words of the language are English wherever they stand, so that the
// trees of a file and of its translation can be compared.
std::string meaning(const lang::ast::File& file) {
  const auto text = lang::dump(file);
  std::string all;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '=' || at + 1 == text.size() || text[at + 1] < 'a' || text[at + 1] > 'z') {
      all += text[at];
      continue;
    }
    const auto begin = all.find_last_of(" (),.\n");
    all.resize(begin == all.npos ? 0 : begin + 1);
  }
  return all;
}

}  // namespace

Formatted format(const Source& source, std::uint32_t source_number, Language reader,
                 const Options& options) {
  Formatted done{.text = std::string(source.text()), .diagnostics = {}};
  const auto read = lang::outline(source, source_number, reader);
  done.diagnostics = read.parsed.diagnostics;
  if (read.outline.stretches.empty()) return done;
  // Commas and semicolons between sentences are left out, but for the rare place where one tells
  // two sentences from a single one. Nothing that reads otherwise than it was written comes out.
  const auto before = meaning(read.parsed.file);
  for (const bool keep_separators : {false, true}) {
    auto text = Reader(source, read, options, keep_separators).formatted();
    const auto after = lang::parse(Source(source.path(), text), source_number, reader);
    if (after.diagnostics.empty() && meaning(after.file) == before) {
      done.text = std::move(text);
      done.done = true;
      break;
    }
  }
  return done;
}

void add_declared(const Source& source, std::set<std::string, std::less<>>& declared) {
  const auto read = lang::outline(source, 0, Language::English);
  const auto& outline = read.outline;
  const auto& tokens = read.lexed.tokens;
  for (const auto& each : outline.stretches) {
    const auto parent = outline.stretches[each.parent].rule;
    const bool declares =
        parent == Rule::Field || parent == Rule::EnumValue || parent == Rule::TierLevel ||
        outline.stretches[outline.stretches[each.parent].parent].rule == Rule::Declaration;
    const bool is_name = each.rule == Rule::Name || each.rule == Rule::Label;
    if (each.first == each.last || !declares || parent == Rule::CustomerDeclaration) continue;
    if (each.rule == Rule::Alias) declared.insert(read.lexed.values[tokens[each.first].value]);
    if (is_name) {
      declared.insert(folded(source.text().substr(
          tokens[each.first].begin, tokens[each.first].end - tokens[each.first].begin)));
    }
  }
}

}  // namespace koi::format
