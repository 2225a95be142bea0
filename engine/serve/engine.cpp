#include "serve/engine.h"

#include <asio/post.hpp>
#include <utility>

#include "serve/refusals.h"

namespace koi::serve {

Engine::Engine(Ground ground, Settings settings)
    : ground_(std::move(ground)),
      settings_(settings),
      deliveries_(ground_.plan, ground_.groups, settings.keeps_sent),
      links_(ground_.identifiers) {}

Result<std::unique_ptr<Engine>> Engine::open(Ground ground, Settings settings) {
  std::unique_ptr<Engine> made(new Engine(std::move(ground), settings));
  const Ground& given = made->ground_;
  KOI_LET(made->writers_,
          durable::Writers::open(
              {given.plan, given.rules, given.journal, given.store, given.groups, made->deliveries_,
               [&clock = given.clock] { return clock.now(); }, given.watch, given.carry},
              made->settings_.writers));
  made->places_ = std::make_unique<Places>(given.plan, *made->writers_);
  made->door_ = std::make_unique<Door>(given.plan, made->links_, *made->writers_, *made->places_,
                                       made->deliveries_);
  if (!given.announcements.empty()) {
    KOI_LET(made->announcements_,
            Announcements::open(
                given.announcements,
                {given.plan, given.journal, given.store, given.groups, *made->writers_,
                 [&clock = given.clock] { return clock.now(); }, given.say, made->places_.get()}));
    made->door_->announce_with(*made->announcements_);
  }
  if (!given.ranks.empty()) {
    KOI_LET(made->ranks_,
            Ranks::open(given.ranks,
                        {given.plan, given.since, given.store, given.groups, *made->writers_,
                         [&clock = given.clock] { return clock.now(); }, given.say}));
  }
  return made;
}

// The threads that decide must be gone before what they hand their decisions to.
Engine::~Engine() {
  announcements_.reset();
  ranks_.reset();
  writers_.reset();
}

// Everything that waits or is due, by hand.
Result<void> Engine::work_off() {
  for (bool is_done = false; !is_done;) {
    KOI_LET(const bool has_committed, writers_->commit());
    is_done = !has_committed;
    for (store::Group group = 0; group < ground_.groups.count; ++group)
      for (bool has_stepped = true; has_stepped;) {
        KOI_LET(has_stepped, writers_->step(group));
        if (has_stepped) is_done = false;
      }
  }
  return {};
}

Result<void> Engine::suspect_open() {
  KOI_TRY(work_off());
  std::vector<durable::Given> suspected;
  for (durable::AttemptFor& each : deliveries_.unattempted())
    suspected.emplace_back(std::move(each));
  if (suspected.empty()) return {};
  KOI_TRY(writers_->submit(std::move(suspected), {}, durable::Lane::Inner));
  return work_off();
}

Result<void> Engine::begin_sending() {
  outbox_ = std::make_shared<runtime::Outbox>(
      ground_.executor, ground_.clock, settings_.outbox, ground_.lanes, deliveries_,
      [this](runtime::Ended ended) {
        // Refused only when the writers are stopping: the next start asks the provider again.
        static_cast<void>(
            writers_->submit({durable::ReceiptFor{std::move(ended.customer), ended.receipt}}, {},
                             durable::Lane::Inner));
      },
      ground_.say);
  deliveries_.submit_with([this](durable::Given input, std::function<void(Result<void>)> done) {
    return writers_->submit(
        {std::move(input)},
        [done = std::move(done)](const Result<std::vector<durable::Answer>>& answers) {
          done(answers ? Result<void>() : Result<void>(answers.error()));
        },
        durable::Lane::Inner);
  });
  KOI_TRY(heed_letters(*writers_, ground_.plan, deliveries_));
  KOI_TRY(outbox_->recover());
  deliveries_.hand_over_to([executor = ground_.executor,
                            weak = std::weak_ptr(outbox_)](std::vector<runtime::Send> sends) {
    asio::post(executor, [weak, sends = std::move(sends)]() mutable {
      if (const auto outbox = weak.lock())
        for (runtime::Send& send : sends) outbox->add(std::move(send));
    });
  });
  std::vector<durable::Given> failed;
  for (durable::ReceiptFor& receipt : deliveries_.without_channel(ground_.clock.now()))
    failed.emplace_back(std::move(receipt));
  return writers_->submit(std::move(failed), {}, durable::Lane::Inner);
}

void Engine::start(std::function<void(const Error&)> trouble) {
  writers_->start(std::move(trouble));
  places_->start();
  if (announcements_) announcements_->start();
  if (ranks_) ranks_->start();
}

Result<void> Engine::stop() {
  if (announcements_) announcements_->stop();
  if (ranks_) ranks_->stop();
  return writers_->stop();
}

}  // namespace koi::serve
