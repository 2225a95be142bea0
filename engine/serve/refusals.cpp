#include "serve/refusals.h"

#include <memory>
#include <utility>

#include "core/decide.h"

namespace koi::serve {

namespace {

struct Asking {
  durable::Writers& writers;
  const plan::Plan& plan;
  std::vector<Event> refusals;
  std::function<void(Result<bool>)> then;
};

// Would it refuse something that is not refused yet?
bool is_news(const plan::Plan& plan, const core::State& state, const Event& refusal) {
  core::State now = state;
  core::pass_over(plan, now, refusal);
  return now.consents != state.consents;
}

void ask(const std::shared_ptr<Asking>& asking, std::size_t at) {
  if (at == asking->refusals.size()) return asking->then(true);
  const Event& refusal = asking->refusals[at];
  asking->writers.look(
      refusal.customer, [asking, at, &refusal](const Result<const core::State*>& state) {
        if (!state) return asking->then(state.error());
        const bool is_elsewhere = *state != nullptr && (*state)->id != refusal.customer;
        if (is_elsewhere && is_news(asking->plan, **state, refusal))
          return asking->then(Error{"moved",
                                    "this customer is being merged with another one; send this "
                                    "again a little later"});
        ask(asking, at + 1);
      });
}

// As much of him as says what he has refused, and under which ids.
core::State who_refuses(const durable::Refused& refused) {
  core::State state;
  state.id = refused.customer;
  state.same.push_back(refused.to);
  for (const std::string& each : refused.ids) state.same.push_back(each);
  for (const core::Consent& each : refused.consents) state.consents.push_back(each);
  return state;
}

}  // namespace

bool is_refusal(const Event& event) { return event.type == type_of(EngineEvent::Unsubscribed); }

void ask_whether_come(durable::Writers& writers, const plan::Plan& plan,
                      std::vector<Event> refusals, std::function<void(Result<bool>)> then) {
  ask(std::make_shared<Asking>(Asking{writers, plan, std::move(refusals), std::move(then)}), 0);
}

Result<void> heed_letters(durable::Writers& writers, const plan::Plan& plan,
                          Deliveries& deliveries) {
  const store::Groups groups = writers.groups();
  for (store::Group from = 0; from < groups.count; ++from)
    for (store::Group to = 0; to < groups.count; ++to)
      for (const durable::Letter& letter : writers.writer(from).letters().open(to)) {
        KOI_LET(const durable::LetterFrom came, durable::read(letter, plan));
        if (const auto* refused = std::get_if<durable::Refused>(&came.told))
          deliveries.refused(to, who_refuses(*refused));
      }
  return {};
}

}  // namespace koi::serve
