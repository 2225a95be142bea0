#include "channel/limits.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/assert.h"
#include "base/source.h"

namespace koi::channel {

namespace {

struct Counted {
  std::uint64_t characters = 0, utf16 = 0;
};
Counted counted(std::string_view text) {
  Counted counts;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t character = decode_utf8(text, at);
    ++counts.characters;
    counts.utf16 += character >= 0x10000 && character != not_a_character ? 2 : 1;
  }
  return counts;
}

// Without a title or a link there is no line for it either.
std::string one_under_the_other(const Limits::Texts& texts) {
  std::string whole(texts.title);
  for (const std::string_view part : {texts.body, texts.link})
    if (!part.empty()) whole.append(whole.empty() ? "" : "\n").append(part);
  return whole;
}
std::string in_one_line(std::string before, const Limits::Texts& texts) {
  before.append(texts.body);
  if (!texts.link.empty()) before.append(texts.body.empty() ? "" : " ").append(texts.link);
  return before;
}

}  // namespace

std::uint64_t length_in(Unit unit, std::string_view text) {
  switch (unit) {
    case Unit::Bytes: return text.size();
    case Unit::Characters: return counted(text).characters;
    case Unit::Utf16: return counted(text).utf16;
    case Unit::Segments: {
      constexpr std::uint64_t alone = 70, of_several = 67;
      const std::uint64_t units = counted(text).utf16;
      return units <= alone ? 1 : (units + of_several - 1) / of_several;
    }
  }
  KOI_ASSERT(false);
}

std::string given_text(const Given& given, std::string_view name) {
  const auto found = given.find(name);
  const auto* const text =
      found == given.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text ? *text : std::string();
}

std::string to_string(const Length& length) {
  const std::string most = length.most_is.empty() ? std::to_string(length.most)
                                                  : "`" + std::string(length.most_is) + "`";
  return std::string(name_of(length.of)) + " has at most " + most + " " +
         std::string(name_of(length.unit));
}

std::string to_string(const Amount& amount) {
  return std::to_string(amount.most) +
         (amount.of == Amount::Of::Messages ? " messages " : " requests ") +
         (amount.per == Amount::Per::Hour ? "an " : "a ") + std::string(name_of(amount.per));
}

std::string to_string(const Excess& excess) {
  return std::string(name_of(excess.of)) + " has " + std::to_string(excess.is) + " " +
         std::string(name_of(excess.unit)) + ", of " + std::to_string(excess.most) +
         " that are taken";
}

Result<Limits> Limits::of(const ConnectorType& type, const Given& given) {
  Limits limits;
  limits.type_ = &type;
  limits.given_ = given;
  if (type.way_of) {
    KOI_LET(limits.way_of_, type.way_of(given));
  }
  return limits;
}

Limits::Going Limits::going(std::string_view content, bool is_answer) const {
  static constexpr Form anything;
  const auto& forms = type_->capabilities.forms;
  if (forms.empty()) return {&anything, {}};
  if (!way_of_) return {&forms[0], {}};
  Way way = way_of_(content, is_answer);
  const auto form = std::find_if(forms.begin(), forms.end(),
                                 [&](const Form& each) { return each.name == way.form; });
  KOI_ASSERT(form != forms.end());  // a connector names the forms that it declares
  return {&*form, std::move(way.before)};
}

std::uint64_t Limits::most(const Length& length) const {
  if (length.most_is.empty()) return length.most;
  if (const auto given = given_.find(length.most_is); given != given_.end())
    if (const auto* const number = std::get_if<std::int64_t>(&given->second); number && *number > 0)
      return static_cast<std::uint64_t>(*number);
  std::uint64_t otherwise = 0;
  for (const Setting& setting : type_->settings)
    if (setting.name == length.most_is)
      std::from_chars(setting.otherwise.data(), setting.otherwise.data() + setting.otherwise.size(),
                      otherwise);
  KOI_ASSERT(otherwise > 0);
  return otherwise;
}

std::optional<Excess> Limits::excess(const Going& going, const Texts& texts) const {
  for (const Length& length : going.form->lengths) {
    Excess excess{length.of, length.unit, 0, most(length)};
    switch (length.of) {
      case Length::Of::Title: excess.is = length_in(length.unit, texts.title); break;
      case Length::Of::Body: excess.is = length_in(length.unit, texts.body); break;
      case Length::Of::Link: excess.is = length_in(length.unit, texts.link); break;
      case Length::Of::Whole: excess.is = length_in(length.unit, one_under_the_other(texts)); break;
      case Length::Of::BodyAndLink:
        excess.is = length_in(length.unit, in_one_line(going.before, texts));
        break;
    }
    if (excess.is > excess.most) return excess;
  }
  return std::nullopt;
}

std::string Limits::refusal(const Delivery& delivery) const {
  const Going where = going(delivery);
  const Format format = where.form->format;
  if (delivery.payout && format != Format::Payment && format != Format::Data)
    return "the channel carries no money";
  if (!delivery.payout && format == Format::Payment) return "the channel carries money alone";
  const auto too_long = excess(where, {delivery.title, delivery.body, delivery.link});
  return too_long ? to_string(*too_long) : std::string();
}

}  // namespace koi::channel
