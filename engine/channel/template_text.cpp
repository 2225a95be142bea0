#include "channel/template_text.h"

#include <algorithm>

namespace koi::channel {

Result<TemplateText> TemplateText::parse(std::string_view text, std::string_view open,
                                         std::string_view close) {
  TemplateText made;
  while (true) {
    const std::size_t begin = text.find(open);
    made.words_.emplace_back(text.substr(0, begin));
    if (begin == std::string_view::npos) return made;
    if (made.words_.back().empty() && !made.places_.empty())
      return Error{"template", "the places `" + made.places_.back() +
                                   "` and the next touch; their values could not be told apart"};
    text.remove_prefix(begin + open.size());
    const std::size_t end = text.find(close);
    if (end == std::string_view::npos || end == 0)
      return Error{"template", "a place begins with `" + std::string(open) +
                                   "` and has no name or no `" + std::string(close) + "`"};
    made.places_.emplace_back(text.substr(0, end));
    text.remove_prefix(end + close.size());
  }
}

std::optional<TemplateText::Values> TemplateText::match(std::string_view text) const {
  if (!text.starts_with(words_.front())) return std::nullopt;
  text.remove_prefix(words_.front().size());
  if (places_.empty()) return text.empty() ? std::optional(Values()) : std::nullopt;
  Values values;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const std::string& next = words_[i + 1];
    const bool last = i + 1 == places_.size();
    if (last && !text.ends_with(next)) return std::nullopt;
    const std::size_t end = last ? text.size() - next.size() : text.find(next);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string value(text.substr(0, end));
    text.remove_prefix(end + next.size());
    const auto same = std::find_if(values.begin(), values.end(),
                                   [&](const auto& known) { return known.first == places_[i]; });
    if (same == values.end())
      values.emplace_back(places_[i], value);
    else if (same->second != value)
      return std::nullopt;
  }
  return values;
}

}  // namespace koi::channel
