// Rounds: a batch of events is decoded in their order; then each thread steps the customers of its
// partitions through their events, and fires whatever timers are due before the batch's last
// instant; then what the threads decided is merged in the one order: by time, events of an instant
// by arrival, then its timers by customer id. While the threads step, the next batch is decoded.
#include "runtime/run.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/json.h"
#include "core/merge.h"
#include "core/ranks.h"
#include "runtime/detail/stepper.h"
#include "runtime/directory.h"
#include "runtime/sink.h"

namespace koi::runtime {

namespace {

// The steppers, on threads of their own if there are several.
class Team {
 public:
  Team(const plan::Plan& plan, const RunOptions& options) : index_(match::Index::build(plan)) {
    for (unsigned i = 0; i < options.threads; ++i)
      steppers_.push_back(std::make_unique<Stepper>(plan, index_, !options.effects_path.empty(),
                                                    options.keep_messages));
    // Whoever competes for codes is served by the first.
    for (const RunOptions::Pool& pool : options.pools)
      steppers_[0]->accounts().stock(pool.name, pool.codes);
    if (options.threads > 1)
      for (std::size_t i = 0; i < steppers_.size(); ++i)
        threads_.emplace_back([this, i] { work(i); });
  }
  ~Team() { rest(); }
  // Ends the threads.
  void rest() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    begin_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Steps the batch; finish() waits until it is done. The batch must not change meanwhile.
  void start(const Batch& batch) {
    if (threads_.empty()) {
      steppers_[0]->step(batch, batch.of_thread[0]);
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      batch_ = &batch;
      ++round_;
      working_ = steppers_.size();
    }
    begin_.notify_all();
  }
  void finish() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return working_ == 0; });
  }

  const std::vector<std::unique_ptr<Stepper>>& steppers() const { return steppers_; }
  Timestamp next_due() const {
    Timestamp due = Timestamp::never();
    for (const auto& stepper : steppers_) due = std::min(due, stepper->next_due());
    return due;
  }

 private:
  void work(std::size_t number) {
    std::uint64_t round = 0;
    for (;;) {
      const Batch* batch = nullptr;
      {
        std::unique_lock lock(mutex_);
        begin_.wait(lock, [&] { return over_ || round_ != round; });
        if (over_) return;
        round = round_;
        batch = batch_;
      }
      steppers_[number]->step(*batch, batch->of_thread[number]);
      const std::lock_guard lock(mutex_);
      if (--working_ == 0) done_.notify_all();
    }
  }

  const match::Index index_;  // shared by all
  std::vector<std::unique_ptr<Stepper>> steppers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable begin_, done_;
  const Batch* batch_ = nullptr;
  std::uint64_t round_ = 0;
  std::size_t working_ = 0;
  bool over_ = false;
};

class Run {
 public:
  Run(const plan::Plan& plan, const RunOptions& options)
      : plan_(plan), options_(options), directory_(plan.schema, links_), team_(plan, options) {}

  void rest() { team_.rest(); }

  Result<Summary> go() {
    KOI_LET(auto input, Input::open(options_.events, plan_, options_.interrupted));
    input_ = std::make_unique<Input>(std::move(input));
    if (!options_.effects_path.empty()) KOI_TRY(effects_.open(options_.effects_path));
    Batch now(options_.threads), next(options_.threads);
    KOI_TRY(fill(now));
    while (!now.is_empty()) {
      team_.start(now);
      const auto filled = fill(next);
      team_.finish();
      KOI_TRY(write_out());
      if (now.to_everyone)
        KOI_TRY(happen_to_everyone(*now.to_everyone, now.first_arrival + now.count));
      if (now.meeting) KOI_TRY(meet(*now.meeting, now.first_arrival + now.count, next));
      if (now.refreshing != Timestamp::never()) KOI_TRY(refresh(now.refreshing));
      if (!filled) return filled.error();
      options_.progress({summary_.records, input_->records_in_all(), now.bound});
      if ((summary_.interrupted = options_.interrupted())) break;
      std::swap(now, next);
    }
    if (options_.until && !summary_.interrupted) KOI_TRY(run_on(now, *options_.until));
    KOI_TRY(effects_.close());
    KOI_TRY(rejects_.close());
    add_up();
    return std::move(summary_);
  }

 private:
  // Decodes on until the batch is full or the input ends.
  Result<void> fill(Batch& batch) {
    batch.clear();
    batch.first_arrival = arrivals_;
    Record record;
    std::size_t file = 0;
    if (is_held_ && !add(batch, held_)) return end(batch), Result<void>();
    while (batch.count < events_in_a_batch) {
      KOI_LET(const bool more, input_->next(record, file));
      if (!more) break;
      ++summary_.records;
      Batch::Entry& entry = batch.entries[batch.count];
      switch (input_->decode(record, file, entry.incoming)) {
        case Input::Outcome::Event: break;
        case Input::Outcome::UnknownType: ++summary_.unknown_events; continue;
        case Input::Outcome::LeftOut: ++summary_.left_out; continue;
        case Input::Outcome::Rejected: KOI_TRY(reject(record, file)); continue;
      }
      const Event& event = entry.incoming.event;
      if (options_.until && event.time > *options_.until) {
        ++summary_.after_until;
        continue;
      }
      if (refreshing_ == Timestamp::ever())
        refreshing_ = core::next_refreshing(plan_, event.time - microseconds(1));
      if (!add(batch, entry.incoming)) break;
    }
    end(batch);
    return {};
  }

  void end(Batch& batch) {
    const std::uint64_t came = batch.count + (batch.to_everyone || batch.meeting ? 1 : 0);
    arrivals_ += came;
    summary_.events += came;
    if (batch.refreshing == Timestamp::never()) batch.bound = summary_.last;
  }

  // False: the batch ends here. Either tiers are refreshed before this event, which is then held
  // back for the next one, or it happens to everyone behind the batch.
  bool add(Batch& batch, Incoming& incoming) {
    if (incoming.event.time > refreshing_) {
      batch.bound = batch.refreshing = refreshing_;
      refreshing_ = core::next_refreshing(plan_, refreshing_);
      if (!is_held_) std::swap(held_, incoming);
      is_held_ = true;
      return false;
    }
    is_held_ = false;
    Batch::Entry& entry = batch.entries[batch.count];
    if (&entry.incoming != &incoming) std::swap(entry.incoming, incoming);
    const Event& event = entry.incoming.event;
    summary_.first = std::min(summary_.first, event.time);
    summary_.last = std::max(summary_.last, event.time);
    if (entry.incoming.to_everyone) {
      batch.to_everyone = std::move(entry.incoming.event);
      entry.incoming.event = Event();
      return false;
    }
    directory_.resolve(entry.incoming);
    if (!event.met.empty()) {
      batch.meeting = std::move(entry.incoming.event);
      entry.incoming.event = Event();
      return false;
    }
    give_to_thread(batch, batch.count);
    ++batch.count;
    return true;
  }

  void give_to_thread(Batch& batch, std::size_t number) {
    Batch::Entry& entry = batch.entries[number];
    entry.hash = partition_hash(entry.incoming.event.customer);
    batch.of_thread[entry.hash % partition_count % options_.threads].push_back(
        static_cast<std::uint32_t>(number));
  }

  Stepper& stepper_of(std::string_view customer) {
    return *team_.steppers()[partition_hash(customer) % partition_count % options_.threads];
  }

  // Two customers may be on two threads, so that none of them can bring them together. `next` was
  // resolved before it was known who stays.
  Result<void> meet(Event& event, std::uint64_t arrival, Batch& next) {
    for (const auto& stepper : team_.steppers()) stepper->begin_beside();
    directory_.renew(event);
    bool has_merged = false;
    std::vector<Met> all = std::exchange(event.met, {});
    const Customer& his = stepper_of(event.customer).customer(event.customer);
    if (!core::says_something(plan_, his.state, event)) all.clear();
    for (const Met& met : all) {
      std::string stays(directory_.stays(event.customer)), goes(directory_.stays(met.customer));
      if (stays != goes) {
        Customer* one = &stepper_of(stays).customer(stays);
        Customer* other = &stepper_of(goes).customer(goes);
        const core::Bond bond = core::bond_of(core::face_of(plan_, one->state, event),
                                              core::face_of(plan_, other->state), met.link);
        if (bond == core::Bond::TwoPeople) {
          directory_.apart(met, event.customer);
          continue;
        }
        if (bond == core::Bond::SecondStays) {
          std::swap(stays, goes);
          std::swap(one, other);
        }
        const Timestamp at = core::instant_of_merge(one->state, other->state, event.time);
        core::State gone = stepper_of(goes).take_out(*other, stays, at);
        stepper_of(stays).merge(*one, std::move(gone), std::exchange(other->arms, {}), at, arrival);
        directory_.merged(goes, stays);
        ++summary_.merged;
        has_merged = true;
      }
      event.identifiers.push_back(met.identifier);
    }
    event.customer.assign(directory_.stays(event.customer));
    Stepper& stepper = stepper_of(event.customer);
    stepper.happen(stepper.customer(event.customer), event, arrival);
    for (const auto& each : team_.steppers()) each->end_beside();
    if (has_merged) renew(next);
    return write_out();
  }

  void renew(Batch& batch) {
    for (auto& each : batch.of_thread) each.clear();
    for (std::size_t i = 0; i < batch.count; ++i) {
      directory_.renew(batch.entries[i].incoming.event);
      give_to_thread(batch, i);
    }
  }

  // Ranks compare all customers, so that no thread can find them alone.
  Result<void> refresh(Timestamp at) {
    for (const auto& stepper : team_.steppers()) stepper->begin_beside();
    std::vector<const core::State*> everybody;
    std::vector<std::pair<Stepper*, Customer*>> places;
    for (const auto& stepper : team_.steppers())
      for (Customer* const customer : stepper->everybody_in_order()) {
        everybody.push_back(&customer->state);
        places.emplace_back(stepper.get(), customer);
      }
    // All tiers of an instant go by what was so before any of them.
    const auto tiers = core::refreshed_at(plan_, at);
    std::vector<std::vector<Value>> levels;
    for (const plan::Tier* const tier : tiers)
      levels.push_back(core::levels_of(plan_, *tier, everybody, at));
    for (std::size_t t = 0; t < tiers.size(); ++t)
      for (std::size_t i = 0; i < places.size(); ++i) {
        const auto [stepper, customer] = places[i];
        if (customer->state.attributes[tiers[t]->attribute.index()] != levels[t][i])
          stepper->happen(*customer,
                          core::ranked_event(*tiers[t], customer->state, levels[t][i], at),
                          Place::timer);
      }
    for (const auto& stepper : team_.steppers()) stepper->end_beside();
    return write_out();
  }

  // Who comes later does not see it, nor does anybody twice what was sent twice.
  Result<void> happen_to_everyone(Event& event, std::uint64_t arrival) {
    if (!seen_by_everyone_.insert(event.id_hash()).second) {
      ++summary_.duplicates;
      return {};
    }
    for (const auto& stepper : team_.steppers()) {
      stepper->begin_beside();
      for (Customer* const customer : stepper->everybody_in_order()) {
        if (core::gone_to(customer->state) != nullptr) continue;
        event.customer = customer->state.id;
        stepper->happen(*customer, event, arrival);
      }
      stepper->end_beside();
    }
    return write_out();
  }

  Result<void> reject(const Record& record, std::size_t file) {
    ++summary_.rejected;
    if (!rejects_.is_open()) {
      KOI_TRY(rejects_.open(options_.rejects_path));
      summary_.rejects_path = options_.rejects_path;
    }
    std::string line = R"({"file":)";
    append_json_string(line, input_->path(file));
    line += R"(,"number":)" + std::to_string(record.number) + R"(,"reason":)";
    append_json_string(line, input_->reason());
    line += R"(,"line":)";
    append_json_string(line, record.text);
    line += "}\n";
    return rejects_.write(line);
  }

  // What the steppers decided in the last round, in the one order.
  Result<void> write_out() {
    if (!effects_.is_open()) return {};
    const auto& steppers = team_.steppers();
    std::vector<std::size_t> at(steppers.size());
    for (;;) {
      std::size_t first = steppers.size();
      for (std::size_t i = 0; i < steppers.size(); ++i)
        if (at[i] < steppers[i]->lines().size() &&
            (first == steppers.size() ||
             steppers[i]->lines()[at[i]].place < steppers[first]->lines()[at[first]].place))
          first = i;
      if (first == steppers.size()) return {};
      KOI_TRY(effects_.write(steppers[first]->text(steppers[first]->lines()[at[first]++])));
    }
  }

  // Timers alone, in pieces, so that a long time needs no more memory than a short one.
  Result<void> run_on(Batch& batch, Timestamp until) {
    batch.clear();
    for (;;) {
      const Timestamp due = std::min(team_.next_due(), next_refreshing());
      if (due > until || due == Timestamp::never()) return {};
      batch.bound = std::min({due + hours(6), until, next_refreshing()});
      const bool refreshes = batch.bound == next_refreshing();
      batch.inclusive = batch.bound == until && !refreshes;
      team_.start(batch);
      team_.finish();
      KOI_TRY(write_out());
      if (refreshes) {
        KOI_TRY(refresh(refreshing_));
        refreshing_ = core::next_refreshing(plan_, refreshing_);
      }
      options_.progress({summary_.records, input_->records_in_all(), batch.bound});
      if ((summary_.interrupted = options_.interrupted())) return {};
    }
  }

  void add_up() {
    summary_.campaigns.resize(plan_.campaigns.size());
    summary_.sent_by_channel.resize(plan_.channels.size());
    std::vector<Stepper::Sample> samples;
    for (const auto& stepper : team_.steppers()) {
      const Summary& part = stepper->figures();
      for (std::size_t i = 0; i < part.campaigns.size(); ++i)
        summary_.campaigns[i].add(part.campaigns[i]);
      for (std::size_t i = 0; i < part.sent_by_channel.size(); ++i)
        summary_.sent_by_channel[i] += part.sent_by_channel[i];
      summary_.arms.add(part.arms);
      summary_.late += part.late;
      summary_.too_late += part.too_late;
      summary_.duplicates += part.duplicates;
      summary_.unanswered += part.unanswered;
      summary_.referrals.add(part.referrals);
      summary_.customers += stepper->customers();
      samples.insert(samples.end(), stepper->samples().begin(), stepper->samples().end());
    }
    std::sort(samples.begin(), samples.end(),
              [](const auto& a, const auto& b) { return a.place < b.place; });
    for (Stepper::Sample& sample : samples) {
      const auto same = [&](const Message& each) {
        return each.campaign == sample.message.campaign && each.content == sample.message.content;
      };
      if (std::none_of(summary_.messages.begin(), summary_.messages.end(), same))
        summary_.messages.push_back(std::move(sample.message));
    }
    add_up_accounts();
    summary_.conflicts = directory_.conflicts();
    summary_.customers -= summary_.merged;
    summary_.unknown_types = input_->decoder().unknown_types();
    summary_.unknown_fields = input_->decoder().unknown_fields();
  }

  void add_up_accounts() {
    for (const plan::Budget& budget : plan_.budgets) {
      const int decimals = budget.is_costs   ? 6
                           : budget.is_money ? plan_.schema.currency_decimals
                                             : 0;
      Summary::Account account{budget.name, decimals, {}};
      for (const auto& stepper : team_.steppers())
        for (const auto& [pot, balances] : stepper->accounts().ledger().pots())
          if (pot.of == budget.definition)
            for (std::size_t i = 0; i < ledger::stage_count; ++i)
              account.balances.at[i] += balances.at[i];
      if (account.balances != ledger::Balances{}) summary_.accounts.push_back(std::move(account));
    }
  }

  // Ever: no event has come, and nobody is there to be ranked.
  Timestamp next_refreshing() const {
    return refreshing_ == Timestamp::ever() ? Timestamp::never() : refreshing_;
  }

  static std::uint64_t partition_hash(std::string_view customer) {
    return hash64(customer, partition_seed);
  }

  const plan::Plan& plan_;
  const RunOptions options_;
  std::unique_ptr<Input> input_;
  MemoryLinks links_;
  Directory directory_;
  Sink effects_, rejects_;
  Summary summary_;
  std::uint64_t arrivals_ = 0;
  Timestamp refreshing_ = Timestamp::ever();  // when tiers are refreshed next
  Incoming held_;                             // the first event behind that, if one has come
  bool is_held_ = false;
  std::set<std::uint64_t> seen_by_everyone_;  // ids of what has happened to everyone
  Team team_;
};

}  // namespace

Result<Summary> run(const plan::Plan& plan, const RunOptions& wanted) {
  KOI_ASSERT(wanted.threads > 0);
  RunOptions options = wanted;
  // Where customers compete, threads could change who is served first.
  if (plan.has_competition()) options.threads = 1;
  auto running = std::make_unique<Run>(plan, options);
  auto summary = running->go();
  if (options.process_ends) {
    [[maybe_unused]] static Run* volatile left_to_the_end = nullptr;  // reachable: nothing leaks
    Run* const left = running.release();
    left_to_the_end = left;
    left->rest();
  }
  return summary;
}

}  // namespace koi::runtime
