#include "wechat_official/tagging.h"

#include <nlohmann/json.hpp>

#include "channel/delivery_json.h"
#include "json_text.h"

namespace koi::connectors {

using channel::append_field;

Result<WechatTagging> read_tagging(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  WechatTagging tagging{text_of(json, "openid"), text_of(json, "tag")};
  if (tagging.person.empty()) return Error{"tag", "what is called with has no text `openid`"};
  if (tagging.tag.empty() || tagging.tag.size() > 90)
    return Error{"tag", "what is called with has no text `tag` of at most 30 characters"};
  if (const auto off = json.find("remove"); off != json.end()) {
    if (!off->is_boolean()) return Error{"tag", "`remove` must be true or false"};
    tagging.is_off = off->get<bool>();
  }
  return tagging;
}

std::string tag_body(const std::string& tag) {
  std::string body = R"({"tag":{)";
  append_field(body, "name", tag);
  return body + "}}";
}

std::string members_body(std::int64_t tag, const std::string& person) {
  std::string body = R"({"openid_list":[)";
  body += nlohmann::json(person).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return body + R"(],"tagid":)" + std::to_string(tag) + "}";
}

}  // namespace koi::connectors
