// Which template of the provider each content is sent by: a file of JSON.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "channel/template_text.h"

namespace koi::connectors {

struct SmsTemplate {
  std::string code;  // "SMS_123456789"
  std::string sign;  // the signature, as approved; empty: that of the settings
  channel::TemplateText text;
};
using SmsTemplates = std::map<std::string, SmsTemplate, std::less<>>;  // by content

// {"CONTENT": {"code": "SMS_1", "text": "Dear ${name}", "sign": "…"}}. Errors name the file, the
// content and the remedy.
Result<SmsTemplates> read_sms_templates(const std::string& path);

// A JSON object of texts.
std::string json_of(const channel::TemplateText::Values& values);

// What stands in a reply; empty where it is no JSON object with a text under `Code`.
std::string code_of_reply(std::string_view body);
// The same under `BizId`: its number of the request, which reports come back with.
std::string biz_id_of_reply(std::string_view body);

}  // namespace koi::connectors
