#include "aliyun_sms/templates.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "json_text.h"

namespace koi::connectors {

namespace {
using Json = nlohmann::json;

Result<SmsTemplate> template_of(const Json& json) {
  if (!json.is_object())
    return Error{"template", R"(must be an object: {"code": "SMS_1", "text": "…"})"};
  for (const auto& [name, value] : json.items())
    if ((name != "code" && name != "text" && name != "sign") || !value.is_string())
      return Error{"template", "`" + name +
                                   "` is not known here, or no text; it takes code, text "
                                   "and sign"};
  SmsTemplate made;
  made.code = text_of(json, "code");
  made.sign = text_of(json, "sign");
  if (made.code.empty() || text_of(json, "text").empty())
    return Error{"template", "needs `code` and `text`: the template's, as approved"};
  KOI_LET(made.text, channel::TemplateText::parse(text_of(json, "text"), "${", "}"));
  return made;
}
}  // namespace

Result<SmsTemplates> read_sms_templates(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const Json json = file ? Json::parse(file, nullptr, false, true) : Json();
  if (!file.is_open())
    return Error{"settings", "`templates`: " + path + " cannot be read; does the file exist?"};
  if (!json.is_object() || json.empty())
    return Error{"settings", "`templates`: " + path +
                                 R"( must be a JSON object: {"CONTENT": {"code": …, "text": …}})"};
  SmsTemplates templates;
  for (const auto& [content, given] : json.items()) {
    auto made = template_of(given);
    if (!made)
      return Error{"settings",
                   "`templates`: " + path + ": `" + content + "`: " + made.error().what};
    templates.emplace(content, *std::move(made));
  }
  return templates;
}

std::string json_of(const channel::TemplateText::Values& values) {
  std::string out = "{";
  for (const auto& [name, value] : values) {
    out += out.size() == 1 ? "" : ",";
    append_json_string(out, name);
    out += ':';
    append_json_string(out, value);
  }
  return out + "}";
}

std::string code_of_reply(std::string_view body) {
  return text_of(Json::parse(body, nullptr, false), "Code");
}
std::string biz_id_of_reply(std::string_view body) {
  return text_of(Json::parse(body, nullptr, false), "BizId");
}

}  // namespace koi::connectors
