// The window in which an official account may write to a follower by itself (customer-service
// messages): what he does opens it, for a time and for a number of messages.
// https://developers.weixin.qq.com/doc/offiaccount/Customer_Service/Customer_Service_Messages.html
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "channel/xml.h"

namespace koi::connectors {

// In memory, from the callbacks that this process has had: what came before it nobody here knows.
// One thread.
class WechatWindow {
 public:
  explicit WechatWindow(Timestamp now, std::size_t most = 1'000'000)
      : whole_since_(now), most_(most) {}

  // A push that was verified.
  void heard(const channel::XmlElement& push, Timestamp now);

  // Whether it is surely closed: he did nothing that opens one, or has had as many as he may. Where
  // that is not known it may be open, and the platform will say.
  bool is_closed(const std::string& person, Timestamp now);
  // One has been sent to him.
  void sent(const std::string& person, Timestamp now);
  // The platform says that his is closed, or he has gone.
  void closed(const std::string& person, Timestamp now);

 private:
  struct Leave {
    Timestamp until;
    unsigned messages = 0;
  };
  struct Person {
    std::vector<Leave> leaves;
    Timestamp end;          // of the last of them
    bool is_whole = false;  // there is none that is not known here
  };
  // Himself, known until then at least.
  Person& add(const std::string& person, Timestamp until, Timestamp now);
  void forget(std::string person);

  std::map<std::string, Person> persons_;
  std::set<std::pair<Timestamp, std::string>> by_end_;
  Timestamp whole_since_;  // of what was pushed since then nothing is forgotten before its end
  std::size_t most_;       // persons
};

}  // namespace koi::connectors
