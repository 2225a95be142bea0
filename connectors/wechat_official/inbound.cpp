#include "wechat_official/inbound.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "channel/opt_out.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::string_view by_scene = "qrscene_";

// Seconds since 1970, as the platform says them; else now.
Timestamp time_of(const XmlElement& push, Timestamp now) {
  const std::string& text = push.text_of("CreateTime");
  if (text.empty() || text.size() > 10 || text.find_first_not_of("0123456789") != std::string::npos)
    return now;
  return Timestamp{std::stoll(text) * 1'000'000};
}

std::string scene_of(const XmlElement& push) {
  std::string key = push.text_of("EventKey");
  if (key.starts_with(by_scene)) key.erase(0, by_scene.size());
  return key;
}

// The name under which a push may have an answer.
std::string name_of_push(const XmlElement& push) {
  if (push.text_of("MsgType") != "event") return "message";
  const std::string& event = push.text_of("Event");
  if (event == "subscribe") return "follow";
  if (event == "SCAN") return "scan";
  if (event == "CLICK") return "menu:" + push.text_of("EventKey");
  return "";
}

}  // namespace

std::vector<Told> told_by_wechat(const XmlElement& push, bool follow_consents, Timestamp now) {
  std::vector<Told> all;
  const Timestamp time = time_of(push, now);
  const std::string& person = push.text_of("FromUserName");
  if (person.empty()) return all;
  // Pushed again it has the same ids: messages have one of their own, events the second.
  const auto tell = [&](std::string type, std::string mark,
                        std::vector<std::pair<std::string, std::string>> fields = {}) {
    std::string id = "wechat:" + mark + ":" + type;
    all.push_back({std::move(id), std::move(type), time, person, std::move(fields)});
  };
  const std::string& type = push.text_of("MsgType");
  if (type != "event") {
    const std::string& number = push.text_of("MsgId");
    if (number.empty()) return all;
    tell("replied", number, {{"kind", type}});
    if (type == "text" && is_opt_out(push.text_of("Content"))) tell("unsubscribed", number);
    return all;
  }
  const std::string& event = push.text_of("Event");
  const std::string mark = std::to_string(time.us / 1'000'000) + ":" + push.text_of("EventKey");
  if (event == "subscribe") {
    const std::string scene = scene_of(push);
    tell("follow", mark, {{"scene", scene}});
    if (!scene.empty()) tell("scan", mark, {{"scene", scene}});
    if (follow_consents) tell("consented", mark);
  } else if (event == "unsubscribe") {
    tell("unfollow", mark);
    tell("unsubscribed", mark);
  } else if (event == "SCAN") {
    tell("scan", mark, {{"scene", scene_of(push)}});
  } else if (event == "CLICK" || event == "VIEW" || event == "view_miniprogram") {
    tell("menu", mark, {{"key", push.text_of("EventKey")}});
  } else if (event == "subscribe_msg_popup_event" || event == "subscribe_msg_change_event") {
    const XmlElement* const listed =
        push.child(event == "subscribe_msg_popup_event" ? "SubscribeMsgPopupEvent"
                                                        : "SubscribeMsgChangeEvent");
    if (!listed) return all;
    for (const XmlElement& each : listed->children) {
      const std::string& id = each.text_of("TemplateId");
      tell("notice_choice", mark + id,
           {{"template", id}, {"choice", each.text_of("SubscribeStatusString")}});
    }
  }
  return all;
}

std::optional<WechatFate> fate_by_wechat(const XmlElement& push) {
  if (push.text_of("MsgType") != "event") return std::nullopt;
  const std::string &status = push.text_of("Status"), &event = push.text_of("Event");
  if (event == "MASSSENDJOBFINISH") {
    WechatFate fate{push.text_of("MsgID"), true, Failure::Failed};
    if (status != "send success") return fate;
    if (push.text_of("ErrorCount") != "0" ||
        push.text_of("FilterCount") != push.text_of("TotalCount"))
      return std::nullopt;
    fate.failure = Failure::None;
    return fate;
  }
  if (event != "TEMPLATESENDJOBFINISH") return std::nullopt;
  WechatFate fate{push.text_of("MsgID"), false, Failure::Failed};
  if (status == "success") fate.failure = Failure::None;
  if (status.find("user block") != std::string::npos) fate.failure = Failure::Unreachable;
  if (status.find("freq limit") != std::string::npos) fate.failure = Failure::WindowClosed;
  return fate;
}

Result<WechatReplies> read_wechat_replies(const std::string& path) {
  using Json = nlohmann::json;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open())
    return Error{"settings", "`replies`: " + path + " cannot be read; does the file exist?"};
  const Json json = Json::parse(file, nullptr, false, true);
  if (!json.is_object())
    return Error{"settings", "`replies`: " + path + R"( must be a JSON object: {"follow": "…"})"};
  WechatReplies replies;
  for (const auto& [name, text] : json.items()) {
    const bool is_known = name == "follow" || name == "message" || name == "scan" ||
                          (name.starts_with("menu:") && name.size() > 5);
    if (!is_known || !text.is_string())
      return Error{"settings", "`replies`: " + path + ": `" + name +
                                   "` is not known here, or no text; there are follow, message, "
                                   "scan and menu:KEY"};
    if (text.get_ref<const std::string&>().size() > 2048)
      return Error{"settings",
                   "`replies`: " + path + ": `" + name + "` is longer than 2,048 bytes"};
    replies.emplace(name, text.get<std::string>());
  }
  return replies;
}

std::string wechat_passive_reply(const XmlElement& push, const WechatReplies& replies,
                                 Timestamp now) {
  const auto found = replies.find(name_of_push(push));
  if (found == replies.end()) return {};
  std::string out = "<xml>";
  append_xml(out, "ToUserName", push.text_of("FromUserName"));
  append_xml(out, "FromUserName", push.text_of("ToUserName"));
  out += "<CreateTime>" + std::to_string(now.us / 1'000'000) + "</CreateTime>";
  append_xml(out, "MsgType", "text");
  append_xml(out, "Content", found->second);
  return out + "</xml>";
}

}  // namespace koi::connectors
