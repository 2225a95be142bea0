#include "channel/xml.h"

#include <expat.h>

#include <memory>
#include <utility>

#include "base/assert.h"

namespace koi::channel {

namespace {

constexpr std::size_t deepest = 16, most_elements = 10'000, longest = 16u << 20;

// What expat tells, put together as elements.
class Reading {
 public:
  explicit Reading(XML_Parser parser) : parser_(parser) {
    XML_SetUserData(parser, this);
    XML_SetElementHandler(
        parser, [](void* self, const char* name, const char**) { of(self).begin(name); },
        [](void* self, const char*) { of(self).open_.pop_back(); });
    XML_SetCharacterDataHandler(parser, [](void* self, const char* text, int size) {
      of(self).open_.back()->text.append(text, static_cast<std::size_t>(size));
    });
    XML_SetStartDoctypeDeclHandler(
        parser, [](void* self, const char*, const char*, const char*, int) { of(self).refuse(); });
    XML_SetProcessingInstructionHandler(
        parser, [](void* self, const char*, const char*) { of(self).refuse(); });
  }
  XmlElement root() && { return std::move(above_.children.front()); }

 private:
  static Reading& of(void* self) { return *static_cast<Reading*>(self); }
  void refuse() { XML_StopParser(parser_, XML_FALSE); }
  // Only the children of the last element that is open grow, so pointers to the others hold.
  void begin(const char* name) {
    if (open_.size() > deepest || ++elements_ > most_elements) refuse();
    open_.push_back(&open_.back()->children.emplace_back());
    open_.back()->name = name;
  }

  XML_Parser parser_;
  XmlElement above_;
  std::vector<XmlElement*> open_{&above_};
  std::size_t elements_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
  for (const XmlElement& each : children)
    if (each.name == wanted) return &each;
  return nullptr;
}

const std::string& XmlElement::text_of(std::string_view wanted) const {
  static const std::string none;
  const XmlElement* const found = child(wanted);
  return found ? found->text : none;
}

Result<XmlElement> parse_xml(std::string_view bytes) {
  const Error error{"xml", "this is no XML of plain elements"};
  if (bytes.size() > longest) return error;
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
      XML_ParserCreate("UTF-8"), XML_ParserFree);
  KOI_ASSERT(parser);
  Reading reading(parser.get());
  if (XML_Parse(parser.get(), bytes.data(), static_cast<int>(bytes.size()), XML_TRUE) !=
      XML_STATUS_OK)
    return error;
  return std::move(reading).root();
}

void append_xml(std::string& out, std::string_view name, std::string_view text) {
  out.append("<").append(name).append("><![CDATA[");
  for (std::size_t at = text.find("]]>"); at != std::string_view::npos; at = text.find("]]>")) {
    out.append(text.substr(0, at + 2)).append("]]><![CDATA[");
    text.remove_prefix(at + 2);
  }
  out.append(text).append("]]></").append(name).append(">");
}

}  // namespace koi::channel
