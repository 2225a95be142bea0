#include "serve/calls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "serve/body.h"

namespace koi::serve {

namespace {

constexpr std::string_view before_campaign = "/v1/campaigns/", behind_campaign = "/call";

bool can_be_called(const plan::Campaign& campaign) {
  return plan::takes_entries(campaign) &&
         std::any_of(campaign.triggers.begin(), campaign.triggers.end(), [](const auto& trigger) {
           return trigger.first.match.type == type_of(EngineEvent::Called);
         });
}

}  // namespace

std::string_view called_campaign(std::string_view path) {
  if (!path.starts_with(before_campaign) || !path.ends_with(behind_campaign) ||
      path.size() <= before_campaign.size() + behind_campaign.size())
    return {};
  path.remove_prefix(before_campaign.size());
  path.remove_suffix(behind_campaign.size());
  return path.find('/') == std::string_view::npos ? path : std::string_view();
}

Result<std::string> event_of_call(const plan::Plan& plan, std::string_view campaign,
                                  std::string_view body, Timestamp now) {
  const auto found =
      std::find_if(plan.campaigns.begin(), plan.campaigns.end(), [&](const auto& each) {
        return can_be_called(each) &&
               (each.symbol.name == campaign || each.symbol.alias == campaign);
      });
  if (found == plan.campaigns.end())
    return Error{"campaign", "no campaign of that name can be called; it needs `when called`"};
  KOI_LET(const nlohmann::json json, body.empty() ? nlohmann::json() : object_in(body));
  const auto text = [&](const char* name) -> std::string {
    const auto member = json.find(name);
    return member != json.end() && member->is_string() ? member->get<std::string>() : std::string();
  };
  if (!json.is_object() || text("subject").empty())
    return Error{
        "body",
        R"(say for whom it is called: {"subject": "c1"}, and an id of your own where it may be repeated)"};
  const std::string at = to_string(now, utc());
  const std::string id = text("id");
  std::string line = R"({"id":)";
  append_json_string(line, id.empty() ? "call " + std::string(campaign) + " " + at : id);
  line += R"(,"type":"called","time":")" + at + R"(","subject":)";
  append_json_string(line, text("subject"));
  line += R"(,"data":{"campaign":)";
  append_json_string(line, found->symbol.name);
  return line + "}}";
}

}  // namespace koi::serve
