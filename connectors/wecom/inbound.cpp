#include "wecom/inbound.h"

#include <algorithm>

namespace koi::connectors {

using namespace channel;

namespace {

// Seconds since 1970, as the platform says them; else now.
Timestamp time_of(const XmlElement& push, Timestamp now) {
  const std::string& second = push.text_of("CreateTime");
  const bool is_second = !second.empty() && second.size() <= 10 &&
                         second.find_first_not_of("0123456789") == std::string::npos;
  return is_second ? Timestamp{std::stoll(second) * 1'000'000} : now;
}

// The names in a list, as elements or as one text with commas.
std::vector<std::string> names_in(const XmlElement& list) {
  std::vector<std::string> names;
  for (const XmlElement& each : list.children) names.push_back(each.text);
  for (std::size_t at = 0; list.children.empty() && at < list.text.size();) {
    const std::size_t comma = std::min(list.text.find(',', at), list.text.size());
    names.push_back(list.text.substr(at, comma - at));
    at = comma + 1;
  }
  return names;
}

// Who comes into a customer group and who leaves it. The staff is in the list too; customers' ids
// begin with these letters.
std::vector<Told> told_of_group(const XmlElement& push, Timestamp time) {
  std::vector<Told> all;
  const std::string& detail = push.text_of("UpdateDetail");
  const XmlElement* const list = push.child("MemChangeList");
  const bool joins = detail == "add_member";
  if (push.text_of("ChangeType") != "update" || !list || (!joins && detail != "del_member"))
    return all;
  const std::string& group = push.text_of("ChatId");
  const std::string type = joins ? "joined_group" : "left_group";
  for (const std::string& person : names_in(*list)) {
    if (!person.starts_with("wm") && !person.starts_with("wo")) continue;
    std::string id = "wecom:" + std::to_string(time.us / 1'000'000) + ":" + group + ":" + type;
    all.push_back({std::move(id), type, time, person, {{"group", group}}});
  }
  return all;
}

}  // namespace

std::vector<Told> told_by_wecom(const XmlElement& push, bool follow_consents, Timestamp now) {
  const Timestamp time = time_of(push, now);
  if (push.text_of("Event") == "change_external_chat") return told_of_group(push, time);
  std::vector<Told> all;
  const std::string& person = push.text_of("ExternalUserID");
  if (push.text_of("Event") != "change_external_contact" || person.empty()) return all;
  const std::string &staff = push.text_of("UserID"), &scene = push.text_of("State"),
                    &change = push.text_of("ChangeType");
  const auto tell = [&](std::string type,
                        std::vector<std::pair<std::string, std::string>> fields = {}) {
    std::string id = "wecom:" + std::to_string(time.us / 1'000'000) + ":" + staff + ":" + type;
    all.push_back({std::move(id), std::move(type), time, person, std::move(fields)});
  };
  if (change == "add_external_contact" || change == "add_half_external_contact") {
    tell("follow", {{"scene", scene}, {"staff", staff}});
    if (!scene.empty()) tell("scan", {{"scene", scene}});
    if (follow_consents) tell("consented");
  } else if (change == "del_follow_user") {  // the customer has deleted the member of staff
    tell("unfollow", {{"staff", staff}});
    tell("unsubscribed");
  } else if (change == "del_external_contact") {  // the member of staff has deleted the customer
    tell("unfollow", {{"staff", staff}});
  }
  return all;
}

std::string wecom_welcome_code(const XmlElement& push) {
  if (push.text_of("Event") != "change_external_contact") return {};
  const std::string& change = push.text_of("ChangeType");
  if (change != "add_external_contact" && change != "add_half_external_contact") return {};
  return push.text_of("WelcomeCode");
}

}  // namespace koi::connectors
