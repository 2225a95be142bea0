// A text that a provider has approved, with places for values: "Dear ${name}, your code is
// ${code}". Providers of templates want the values alone; Koi decides the whole text. So a message
// is matched against its template, and what the person reads is the text that was decided, to the
// letter.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace koi::channel {

class TemplateText {
 public:
  // Places stand between `open` and `close`. Errors: a place without a name or an end, or two that
  // touch, so that nobody could tell their values apart.
  static Result<TemplateText> parse(std::string_view text, std::string_view open,
                                    std::string_view close);

  // The values by name, in the order of the places, with which the template reads as `text`;
  // nothing where there are none. A place takes as little as it can; one that comes again has one
  // value.
  using Values = std::vector<std::pair<std::string, std::string>>;
  std::optional<Values> match(std::string_view text) const;

 private:
  std::vector<std::string> words_;   // what stands before each place, and behind the last
  std::vector<std::string> places_;  // names; one fewer than words_
};

}  // namespace koi::channel
