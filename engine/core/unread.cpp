#include "core/unread.h"

namespace koi::core {

namespace {

Message back_to_sender(const Message& message, Message::Kind kind) {
  Message back;
  back.kind = kind;
  back.key = message.key;
  back.time = message.time;
  back.from = message.to;
  back.to = message.from;
  back.incentive = message.incentive;
  back.referral = message.referral;
  back.code = message.code;
  back.hops = static_cast<std::uint8_t>(message.hops + 1);
  return back;
}

Message failed(const Message& message, Message::Kind kind) {
  Message answer = back_to_sender(message, kind);
  answer.reason = Reason::Failed;
  return answer;
}

}  // namespace

std::vector<Message> leave_unread(State& state, const Message& message) {
  using Kind = Message::Kind;
  std::vector<Message> told;
  Holdings* const his = state.holdings.empty() ? nullptr : &state.holdings.front();
  switch (message.kind) {
    case Kind::Claim: told.push_back(failed(message, Kind::Claimed)); break;
    case Kind::Join: told.push_back(failed(message, Kind::Joined)); break;
    case Kind::Claimed:
      if (his)
        erase_if(his->answers,
                 [&](const Answered& each) { return each.key == message.key && each.is_pending; });
      if (message.reason != Reason::None) break;
      told.push_back(back_to_sender(message, Kind::NotPaid));
      told.back().amount = message.amount;
      break;
    case Kind::Joined:
      if (his)
        erase_if(his->bindings,
                 [&](const Binding& each) { return each.key == message.key && !each.is_settled; });
      if (message.reason == Reason::None) told.push_back(back_to_sender(message, Kind::ClawBack));
      break;
    default: break;
  }
  return told;
}

}  // namespace koi::core
