// What an official account's platform pushes to the callback address: messages and events of
// followers, as XML. https://developers.weixin.qq.com/doc/offiaccount/Message_Management/
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "channel/connector.h"
#include "channel/xml.h"

namespace koi::connectors {

// What one push tells; nothing where it tells of nobody. `follow_consents`: who follows consents.
std::vector<channel::Told> told_by_wechat(const channel::XmlElement& push, bool follow_consents,
                                          Timestamp now);

// A message's fate, as TEMPLATESENDJOBFINISH or MASSSENDJOBFINISH says it; nothing where only some
// of those in a mass message have it, because it does not say who.
struct WechatFate {
  std::string message;  // the platform's number of it
  bool is_mass = false;
  Failure failure = Failure::None;
};
std::optional<WechatFate> fate_by_wechat(const channel::XmlElement& push);

// Texts that answer pushes: a file of JSON, {"follow": "…", "message": "…", "menu:KEY": "…",
// "scan": "…"}. Errors name the file and the remedy.
using WechatReplies = std::map<std::string, std::string, std::less<>>;
Result<WechatReplies> read_wechat_replies(const std::string& path);

// The passive reply to a push, as XML; empty where there is none.
std::string wechat_passive_reply(const channel::XmlElement& push, const WechatReplies& replies,
                                 Timestamp now);

}  // namespace koi::connectors
