#include "wechat_official/window.h"

#include <algorithm>
#include <optional>

namespace koi::connectors {

using namespace channel;

namespace {

constexpr Duration longest = hours(48);

// What a push opens.
struct Opened {
  Duration lasts;
  unsigned messages = 0;
};
std::optional<Opened> opened_by(const XmlElement& push) {
  const Opened by_message{longest, 5}, by_touch{minutes(1), 3};
  if (push.text_of("MsgType") != "event") return by_message;
  const std::string& event = push.text_of("Event");
  for (const std::string_view touch :
       {"subscribe", "SCAN", "CLICK", "scancode_push", "scancode_waitmsg"})
    if (event == touch) return by_touch;
  return std::nullopt;
}

}  // namespace

void WechatWindow::heard(const XmlElement& push, Timestamp now) {
  const std::string& person = push.text_of("FromUserName");
  if (person.empty()) return;
  if (push.text_of("Event") == "unsubscribe") return closed(person, now);
  const auto opened = opened_by(push);
  if (!opened) return;
  // His next message begins the two days and the five anew, his next touch the minute and the
  // three.
  const Leave leave{now + opened->lasts, opened->messages};
  std::vector<Leave>& leaves = add(person, leave.until, now).leaves;
  std::erase_if(leaves, [&](const Leave& each) { return each.until <= leave.until; });
  leaves.push_back(leave);
}

bool WechatWindow::is_closed(const std::string& person, Timestamp now) {
  const bool is_whole = now >= whole_since_ + longest;
  const auto found = persons_.find(person);
  if (found == persons_.end()) return is_whole;
  if (!is_whole && !found->second.is_whole) return false;
  const std::vector<Leave>& leaves = found->second.leaves;
  return std::none_of(leaves.begin(), leaves.end(),
                      [&](const Leave& leave) { return leave.until > now && leave.messages > 0; });
}

void WechatWindow::sent(const std::string& person, Timestamp now) {
  const auto found = persons_.find(person);
  if (found == persons_.end()) return;
  // Of those that are open the one that ends first.
  Leave* first = nullptr;
  for (Leave& leave : found->second.leaves)
    if (leave.until > now && leave.messages > 0 && (!first || leave.until < first->until))
      first = &leave;
  if (first) --first->messages;
}

void WechatWindow::closed(const std::string& person, Timestamp now) {
  Person& who = add(person, now + longest, now);
  who.leaves.clear();
  who.is_whole = true;
}

WechatWindow::Person& WechatWindow::add(const std::string& person, Timestamp until, Timestamp now) {
  while (!by_end_.empty() && by_end_.begin()->first <= now) forget(by_end_.begin()->second);
  if (persons_.size() >= most_ && !persons_.contains(person)) {
    whole_since_ = now;
    forget(by_end_.begin()->second);
  }
  Person& who = persons_[person];
  by_end_.erase({who.end, person});
  who.end = std::max(who.end, until);
  by_end_.emplace(who.end, person);
  return who;
}

void WechatWindow::forget(std::string person) {
  const auto found = persons_.find(person);
  by_end_.erase({found->second.end, person});
  persons_.erase(found);
}

}  // namespace koi::connectors
