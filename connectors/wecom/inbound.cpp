#include "wecom/inbound.h"

namespace koi::connectors {

using namespace channel;

std::vector<Told> told_by_wecom(const XmlElement& push, bool follow_consents, Timestamp now) {
  std::vector<Told> all;
  const std::string& person = push.text_of("ExternalUserID");
  if (push.text_of("Event") != "change_external_contact" || person.empty()) return all;
  const std::string &second = push.text_of("CreateTime"), &staff = push.text_of("UserID"),
                    &scene = push.text_of("State"), &change = push.text_of("ChangeType");
  const bool is_second = !second.empty() && second.size() <= 10 &&
                         second.find_first_not_of("0123456789") == std::string::npos;
  const Timestamp time = is_second ? Timestamp{std::stoll(second) * 1'000'000} : now;
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
