// XML as payment and messaging platforms send it: elements with texts, no more. What could reach
// outside the text (a document type, entities of one's own, processing instructions behind the
// first line) is refused, and attributes are passed over.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace koi::channel {

struct XmlElement {
  std::string name;
  std::string text;  // of the element itself: entities replaced, CDATA as it stands
  std::vector<XmlElement> children;

  // The first child of that name, or null.
  const XmlElement* child(std::string_view name) const;
  // Its text; empty where there is none.
  const std::string& text_of(std::string_view name) const;
};

// The root. Error "xml" where it is none, where it nests deeper than 16, or has more than 10,000
// elements.
Result<XmlElement> parse_xml(std::string_view bytes);

// <name><![CDATA[text]]></name>; a text that holds the end of a CDATA section is split.
void append_xml(std::string& out, std::string_view name, std::string_view text);

}  // namespace koi::channel
