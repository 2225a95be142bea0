#include "wechat_official/messages.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/assert.h"
#include "base/hash.h"
#include "base/json.h"
#include "channel/delivery_json.h"
#include "json_text.h"

namespace koi::connectors {

using channel::append_field;

namespace {
using Json = nlohmann::json;
using As = WechatMessage::As;

Result<WechatMessage> message_of(const Json& json) {
  if (!json.is_object())
    return Error{"message", R"(must be an object: {"as": "customer_service"})"};
  for (const auto& [name, value] : json.items())
    if ((name != "as" && name != "template" && name != "text") || !value.is_string())
      return Error{"message", "`" + name +
                                  "` is not known here, or no text; it takes as, template "
                                  "and text"};
  WechatMessage made;
  const std::string as = text_of(json, "as");
  if (as == "customer_service" || as == "mass") {
    if (json.size() > 1) return Error{"message", "a " + as + " message takes no template"};
    if (as == "mass") made.as = As::Mass;
    return made;
  }
  if (as != "template" && as != "subscription")
    return Error{"message", "`as` must be template, subscription, customer_service or mass"};
  made.as = as == "template" ? As::Template : As::Subscription;
  made.id = text_of(json, "template");
  if (made.id.empty() || text_of(json, "text").empty())
    return Error{"message", "needs `template` and `text`: the template's id, and it as approved"};
  KOI_LET(made.text, channel::TemplateText::parse(text_of(json, "text"), "{{", ".DATA}}"));
  return made;
}
}  // namespace

std::string_view name_of(As as) {
  switch (as) {
    case As::Template: return "template";
    case As::Subscription: return "subscription";
    case As::CustomerService: return "customer_service";
    case As::Mass: return "mass";
  }
  KOI_ASSERT(false);
}

Result<WechatMessages> read_wechat_messages(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open())
    return Error{"settings", "`messages`: " + path + " cannot be read; does the file exist?"};
  const Json json = Json::parse(file, nullptr, false, true);
  if (!json.is_object() || json.empty())
    return Error{"settings", "`messages`: " + path +
                                 R"( must be a JSON object: {"CONTENT": {"as": "template", …}})"};
  WechatMessages messages;
  for (const auto& [content, given] : json.items()) {
    auto made = message_of(given);
    if (!made)
      return Error{"settings", "`messages`: " + path + ": `" + content + "`: " + made.error().what};
    messages.emplace(content, *std::move(made));
  }
  return messages;
}

std::string wechat_text(const Delivery& delivery) {
  std::string text = delivery.title;
  for (const std::string* const part : {&delivery.body, &delivery.link})
    if (!part->empty()) text += (text.empty() ? "" : "\n") + *part;
  return text;
}

WechatRequest wechat_mass_request(const std::vector<Delivery>& deliveries) {
  HashInput all;
  std::string body = R"({"touser":[)";
  for (const Delivery& delivery : deliveries) {
    all.number(delivery.key.high).number(delivery.key.low);
    body += body.back() == '[' ? "" : ",";
    append_json_string(body, delivery.addresses[0].value);
  }
  body += ']';
  append_field(body, "msgtype", "text");
  body += R"(,"text":{)";
  append_field(body, "content", wechat_text(deliveries[0]));
  body += '}';
  append_field(body, "clientmsgid", to_hex(all.hash128()));
  return {"/cgi-bin/message/mass/send", body + "}"};
}

std::optional<WechatRequest> wechat_request(const WechatMessage& message, const Delivery& delivery,
                                            const std::string& open_id) {
  std::string body = "{";
  append_field(body, "touser", open_id);
  if (message.as == As::CustomerService) {
    append_field(body, "msgtype", "text");
    body += R"(,"text":{)";
    append_field(body, "content", wechat_text(delivery));
    return WechatRequest{"/cgi-bin/message/custom/send", body + "}}"};
  }
  const bool is_named = !delivery.provider_template.empty();
  const auto values = is_named ? delivery.values : message.text.match(delivery.body);
  if (!values) return std::nullopt;
  const bool is_template = message.as == As::Template;
  append_field(body, "template_id", is_named ? delivery.provider_template : message.id);
  if (!delivery.link.empty()) append_field(body, is_template ? "url" : "page", delivery.link);
  if (is_template) append_field(body, "client_msg_id", to_hex(delivery.key));
  body += R"(,"data":{)";
  for (const auto& [name, value] : *values) {
    body += body.back() == '{' ? "" : ",";
    append_json_string(body, name);
    body += ":{";
    append_field(body, "value", value);
    body += '}';
  }
  return WechatRequest{
      is_template ? "/cgi-bin/message/template/send" : "/cgi-bin/message/subscribe/bizsend",
      body + "}}"};
}

WechatReply wechat_reply(std::string_view body) {
  WechatReply reply;
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return reply;
  reply.readable = true;
  if (const auto code = json.find("errcode"); code != json.end() && code->is_number_integer())
    reply.code = code->get<std::int64_t>();
  if (const auto token = json.find("access_token"); token != json.end() && token->is_string())
    reply.token = token->get<std::string>();
  for (const char* const name : {"msgid", "msg_id"})
    if (const auto number = json.find(name); number != json.end() && number->is_number_integer())
      reply.message = std::to_string(number->get<std::int64_t>());
  reply.ticket = text_of(json, "ticket");
  // What was asked for comes without a code.
  if (!reply.code && (!reply.ticket.empty() || json.contains("tag") || json.contains("tags")))
    reply.code = 0;
  const auto take_tag = [&](const Json& tag) {
    if (!tag.is_object() || !tag.contains("id") || !tag["id"].is_number_integer()) return;
    reply.tags.emplace_back(text_of(tag, "name"), tag["id"].get<std::int64_t>());
  };
  if (const auto tag = json.find("tag"); tag != json.end()) take_tag(*tag);
  if (const auto tags = json.find("tags"); tags != json.end() && tags->is_array())
    for (const Json& tag : *tags) take_tag(tag);
  if (const auto lasts = json.find("expires_in"); lasts != json.end() && lasts->is_number_integer())
    reply.lasts_s = lasts->get<std::int64_t>();
  return reply;
}

}  // namespace koi::connectors
