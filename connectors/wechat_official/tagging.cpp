#include "wechat_official/tagging.h"

#include "base/json.h"
#include "channel/delivery_json.h"

namespace koi::connectors {

std::string tag_body(const std::string& tag) {
  std::string body = R"({"tag":{)";
  channel::append_field(body, "name", tag);
  return body + "}}";
}

std::string members_body(std::int64_t tag, const std::string& person) {
  std::string body = R"({"openid_list":[)";
  append_json_string(body, person);
  return body + R"(],"tagid":)" + std::to_string(tag) + "}";
}

}  // namespace koi::connectors
