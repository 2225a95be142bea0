// How each content is sent through an official account: a file of JSON, and the bodies of requests.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "channel/template_text.h"
#include "model/delivery.h"

namespace koi::connectors {

struct WechatMessage {
  enum class As : std::uint8_t { Template, Subscription, CustomerService, Mass };
  As as = As::CustomerService;
  std::string id;              // of the template
  channel::TemplateText text;  // of the template, as approved
};
std::string_view name_of(WechatMessage::As as);  // "template", … as the file says it
using WechatMessages = std::map<std::string, WechatMessage, std::less<>>;  // by content

// {"CONTENT": {"as": "template", "template": "ID", "text": "{{first.DATA}}…"}}; "as" is template,
// subscription, customer_service or mass, of which the last two take neither of the others. Errors
// name the file, the content and the remedy.
Result<WechatMessages> read_wechat_messages(const std::string& path);

// Title, body and link as one text.
std::string wechat_text(const Delivery& delivery);

// What is posted, and where to; nothing where the text does not fit its template. Not of a mass
// message.
struct WechatRequest {
  std::string path, body;
};
std::optional<WechatRequest> wechat_request(const WechatMessage& message, const Delivery& delivery,
                                            const std::string& open_id);

// One text to two or more (mass/send), under a number of ours by which it is known again.
WechatRequest wechat_mass_request(const std::vector<Delivery>& deliveries);

// An answer: errcode, where it is there and a number; and the token, of a request for one.
struct WechatReply {
  bool readable = false;  // a JSON object
  std::optional<std::int64_t> code;
  std::string token;
  std::int64_t lasts_s = 0;
  std::string message;  // the number of what was sent; empty where it says none
  std::string ticket;   // of a code
  std::vector<std::pair<std::string, std::int64_t>> tags;  // of the account, or the one just made
};
WechatReply wechat_reply(std::string_view body);

}  // namespace koi::connectors
