#include "deploy/deploy.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "deploy/census.h"
#include "deploy/extend.h"
#include "deploy/link.h"
#include "deploy/migrate.h"
#include "deploy/next_turn.h"
#include "deploy/patterns.h"
#include "deploy/rebuild.h"
#include "durable/checkpoint.h"
#include "durable/recover.h"
#include "durable/writers.h"

namespace koi::deploy {

namespace {

using Clock = std::chrono::steady_clock;

class Deploying {
 public:
  Deploying(const Site& site, Deployment deployment)
      : site_(site), bundles_(site.directory), deployment_(std::move(deployment)) {}

  Result<std::vector<Report>> run(const Bundle& wanted, const Said& said, const Ways& ways);
  Result<std::string> preview(const Bundle& wanted, const Ways& ways);

 private:
  Result<void> check_groups() const;
  Result<void> check(const Bundle& wanted) const;
  Result<void> check_patterns(Hash128 bundle);
  Result<void> begin(Hash128 bundle, const Said& said, const Ways& ways);
  Result<void> finish_between_groups();
  Result<void> recover_tails();
  Result<void> finish(bool was_broken_off);
  Result<void> walk_all(const plan::Plan& from, const plan::Plan& to, const Carry& carry,
                        const Rebuild* rebuild);
  void count(Stage stage, std::uint64_t done);

  const Turn& live() const { return deployment_.turns.back(); }
  std::uint64_t turn() const { return deployment_.turns.size() - 1; }

  const Site& site_;
  const Bundles bundles_;
  Plans plans_{bundles_};
  Deployment deployment_;
  std::vector<store::Epoch> epochs_, journal_epochs_;  // of the store's groups, and the journal's
  std::vector<Report> reports_;
  std::uint64_t tail_inputs_ = 0;
  std::mutex counting_;
  Progress progress_;
  Clock::time_point began_ = Clock::now();
};

Error foreign(std::string_view how) {
  return {"foreign", "deployment.json does not belong to the files beside it: " + std::string(how) +
                         "; put back the files that belong together"};
}

void Deploying::count(Stage stage, std::uint64_t done) {
  const std::lock_guard lock(counting_);
  if (progress_.stage != stage) progress_ = {stage, 0};
  progress_.done += done;
  if (site_.progress) site_.progress(progress_);
}

Result<std::vector<Report>> Deploying::run(const Bundle& wanted, const Said& said,
                                           const Ways& ways) {
  KOI_TRY(check_groups());
  KOI_TRY(check(wanted));
  KOI_LET(const Hash128 name, bundles_.keep(wanted));
  if (deployment_.is_under_way) KOI_TRY(finish(true));
  KOI_TRY(check_next(plans_, deployment_, name, ways));
  if (!deployment_.turns.empty() && live().bundle == name && ways.moves_nobody() &&
      ways.canary == live().ways.canary) {
    // One that was finished may have left it, or one that was made ready and never came.
    KOI_TRY(Rebuild::clear(site_.directory));
  } else {
    began_ = Clock::now();
    KOI_TRY(begin(name, said, ways));
    KOI_TRY(finish(false));
  }
  return std::move(reports_);
}

// Can these rules be served?
Result<void> Deploying::check(const Bundle& wanted) const {
  const auto plan = compile(wanted);
  return plan ? Result<void>() : plan.error();
}

// Could what they generate be a code that somebody has, as far as that is written back?
Result<void> Deploying::check_patterns(Hash128 bundle) {
  if (deployment_.turns.empty()) return {};
  KOI_LET(const plan::Plan* to, plans_.of(bundle));
  KOI_LET(const Patterns patterns, Patterns::of(plans_, deployment_.turns, *to, site_.groups));
  return patterns.check(site_.store);
}

Result<std::string> Deploying::preview(const Bundle& wanted, const Ways& ways) {
  KOI_TRY(check(wanted));
  KOI_LET(const Hash128 name, bundles_.keep(wanted));
  KOI_TRY(check_next(plans_, deployment_, name, ways));
  KOI_TRY(check_patterns(name));
  if (ways.moves_nobody()) return std::string();
  KOI_LET(const plan::Plan* to, plans_.of(name));
  KOI_LET(const plan::Plan* from, plans_.of(live()));
  KOI_LET(const Census census,
          take_census(site_.store, site_.groups, *from, site_.clock(), site_.at_once));
  return told(*from, *to, ways, census);
}

// Are these files of one deployment?
Result<void> Deploying::check_groups() const {
  if (!deployment_.turns.empty() && live().positions.size() != site_.groups.count)
    return foreign("it has " + std::to_string(live().positions.size()) + " groups, and they have " +
                   std::to_string(site_.groups.count));
  for (store::Group group = 0; group < site_.groups.count; ++group) {
    KOI_LET(const store::Position last, site_.journal.last(group));
    KOI_LET(const store::Position stored, site_.store.position(group));
    if (deployment_.turns.empty() && (last > 0 || stored > 0))
      return foreign("it names no rules, and the journal has inputs");
    if (deployment_.turns.empty()) continue;
    if (last < live().positions[group])
      return foreign("the journal of group " + std::to_string(group) + " ends before position " +
                     std::to_string(live().positions[group]));
    if (deployment_.is_under_way &&
        (last != live().positions[group] || stored != live().positions[group]))
      return foreign("group " + std::to_string(group) + " has gone on since a deploy began");
  }
  return {};
}

// Between groups something may be on its way, or wait for what others lend, though nothing is left
// to recover: it comes to its end under the rules that have begun it.
Result<void> Deploying::finish_between_groups() {
  KOI_LET(const plan::Plan* plan, plans_.of(live()));
  const std::unique_ptr<durable::Deeds> deeds = site_.deeds(*plan);
  durable::Settings settings;
  settings.budget = site_.budget;
  settings.recovers_at_once = site_.at_once;
  KOI_LET(const auto writers,
          durable::Writers::open({*plan, rules_of(name_of(live())), site_.journal, site_.store,
                                  site_.groups, *deeds, site_.clock, site_.watch},
                                 settings));
  for (const durable::Recovered& each : writers->recovered()) {
    tail_inputs_ += each.inputs;
    count(Stage::Tail, each.inputs);
  }
  KOI_TRY(writers->finish());
  for (store::Group group = 0; group < site_.groups.count; ++group) {
    KOI_LET(const bool is_open, durable::has_open(site_.store, group));
    if (is_open)
      return Error{"rules", "group " + std::to_string(group) +
                                " has something to decide yet that the live rules have begun"};
  }
  return {};
}

// What was accepted under the live rules and not written back yet is decided by them, to its end.
Result<void> Deploying::recover_tails() {
  const std::uint64_t rules = rules_of(name_of(live()));
  std::vector<store::Group> tails;
  for (store::Group group = 0; group < site_.groups.count; ++group) {
    KOI_LET(const store::Position last, site_.journal.last(group));
    KOI_LET(const store::Position stored, site_.store.position(group));
    if (last != stored) tails.push_back(group);
  }
  if (tails.empty()) return {};
  KOI_LET(const plan::Plan* plan, plans_.of(live()));
  const match::Index index = match::Index::build(*plan);
  const std::unique_ptr<durable::Deeds> deeds = site_.deeds(*plan);
  std::vector<std::uint64_t> inputs(site_.groups.count);
  const auto recover = [&](store::Group group) -> Result<void> {
    if (std::find(tails.begin(), tails.end(), group) == tails.end()) return {};
    durable::Writer writer(*plan, index, site_.store, site_.groups, group,
                           site_.budget / site_.groups.count, *deeds);
    KOI_TRY(durable::set_aside_suspect(site_.watch, site_.journal, group, journal_epochs_[group]));
    writer.watch(site_.watch);
    KOI_LET(const durable::Recovered recovered,
            durable::recover(writer, *plan, rules, site_.journal, site_.store, group,
                             epochs_[group], *deeds));
    durable::Frozen frozen = durable::freeze(writer, group, epochs_[group], *deeds);
    const durable::Take take = [&](std::span<const durable::Changed> which,
                                   std::vector<store::Saved>& into) {
      writer.customers().take(which, into);
      return Result<void>();
    };
    KOI_TRY(durable::write(frozen, site_.journal, site_.store, take));
    inputs[group] = recovered.inputs;
    count(Stage::Tail, recovered.inputs);
    return {};
  };
  KOI_TRY(for_each_group(site_.groups, site_.at_once, recover));
  for (const std::uint64_t each : inputs) tail_inputs_ += each;
  return {};
}

// From here on the deploy is decided: whatever happens, it is finished first.
Result<void> Deploying::begin(Hash128 bundle, const Said& said, const Ways& ways) {
  const bool is_first = deployment_.turns.empty();
  tail_inputs_ = 0;
  if (!is_first && site_.groups.count > 1) {
    KOI_LET(const plan::Plan* plan, plans_.of(live()));
    if (plan->has_competition() || !plan->schema.identifiers.empty())
      KOI_TRY(finish_between_groups());
  }
  epochs_.resize(site_.groups.count);
  journal_epochs_.resize(site_.groups.count);
  for (store::Group group = 0; group < site_.groups.count; ++group) {
    KOI_LET(journal_epochs_[group], site_.journal.take(group));
    KOI_LET(epochs_[group], site_.store.take(group));
  }
  if (!is_first) KOI_TRY(recover_tails());
  KOI_TRY(check_patterns(bundle));
  Turn turn{bundle, site_.clock(), {}, {}, said.by, said.why, ways, {}};
  if (!is_first) turn.since = std::max(turn.since, live().since);
  for (store::Group group = 0; group < site_.groups.count; ++group) {
    KOI_LET(const store::Position position, site_.store.position(group));
    turn.positions.push_back(position);
    if (position == 0) continue;
    KOI_LET(const std::string bytes, site_.store.kept(group));
    KOI_LET(const durable::Kept kept, durable::decode_kept(bytes));
    turn.since = std::max(turn.since, kept.stamp);
  }
  if (ways.canary != 0) turn.against = against_of(live(), bundle);
  if (!is_first) {
    KOI_LET(const plan::Plan* from, plans_.of(live()));
    KOI_LET(turn.kept, to_keep(plans_, live(), turn, false, [&] {
              return take_census(site_.store, site_.groups, *from, turn.since, site_.at_once);
            }));
  }
  deployment_.turns.push_back(std::move(turn));
  deployment_.is_under_way = !is_first;
  return write_deployment(site_.directory, deployment_);
}

Result<void> Deploying::walk_all(const plan::Plan& from, const plan::Plan& to, const Carry& carry,
                                 const Rebuild* rebuild) {
  std::vector<Carried> carried(site_.groups.count);
  const auto walk_one = [&](store::Group group) -> Result<void> {
    Walk what{.store = site_.store,
              .groups = site_.groups,
              .group = group,
              .epoch = epochs_[group],
              .from = from,
              .to = to,
              .carry = carry,
              .now = live().since,
              .rules = site_.walk,
              .complete = {},
              .walked = [this](std::uint64_t customers) { count(Stage::Walk, customers); }};
    if (rebuild) what.complete = [rebuild](core::State& state) { return rebuild->complete(state); };
    KOI_LET(carried[group], walk(what, turn()));
    return {};
  };
  KOI_TRY(for_each_group(site_.groups, site_.at_once, walk_one));
  for (const Carried& each : carried) reports_.back().carried.add(each);
  return {};
}

// Takes the states from the turn before the last to the last one.
Result<void> Deploying::finish(bool was_broken_off) {
  Report& report = reports_.emplace_back();
  report.bundle = live().bundle;
  report.was_broken_off = was_broken_off;
  report.tail_inputs = std::exchange(tail_inputs_, 0);
  if (deployment_.is_under_way) {
    if (epochs_.empty()) {
      epochs_.resize(site_.groups.count);
      for (store::Group group = 0; group < site_.groups.count; ++group) {
        KOI_LET(epochs_[group], site_.store.take(group));
      }
    }
    const std::span<const Turn> turns(deployment_.turns);
    const std::span<const Turn> before = turns.first(turns.size() - 1);
    report.former = before.back().bundle;
    KOI_LET(const plan::Plan* to, plans_.of(live()));
    KOI_LET(const plan::Plan* from, plans_.of(before.back()));
    const Lacking wanted = lacking(*to, *from);
    if (wanted.empty()) {
      const Carry carry(*from, *to, live().ways);
      if (!carry.changes_nothing()) KOI_TRY(walk_all(*from, *to, carry, nullptr));
    } else {
      report.metrics_built = metric_names(*to, wanted);
      for (const Turn& each : before) KOI_TRY(plans_.of(each));
      const History history{site_.journal, site_.groups, before, plans_.all(), site_.at_once};
      // By the bundle's own rules: what is linked to them has nothing that was not there before.
      KOI_LET(const plan::Plan* own, plans_.of(live().bundle));
      KOI_LET(const std::unique_ptr<Rebuild> rebuild,
              Rebuild::make(site_.directory, history, *own, live().bundle, turn(), site_.budget,
                            [&](std::uint64_t rows) { count(Stage::Rebuild, rows); }));
      if (progress_.stage == Stage::Rebuild) report.rows_read = progress_.done;
      const Carry carry(rebuild->plan(), *to, live().ways);
      KOI_TRY(walk_all(*from, *to, carry, rebuild.get()));
    }
    deployment_.is_under_way = false;
    KOI_TRY(write_deployment(site_.directory, deployment_));
    KOI_TRY(Rebuild::clear(site_.directory));
  }
  report.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
  progress_ = {};
  return {};
}

}  // namespace

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::Tail: return "tail";
    case Stage::Rebuild: return "rebuild";
    case Stage::Walk: return "walk";
  }
  KOI_ASSERT(false);
}

Result<Live> live(const store::Directory& directory) {
  KOI_LET(auto deployment, read_deployment(directory));
  if (!deployment || deployment->turns.empty())
    return Error{"missing", "no rules were deployed in " + directory.path().string() + " yet"};
  const Bundles bundles(directory);
  Plans plans(bundles);
  Turn turn = std::move(deployment->turns.back());
  KOI_LET(const plan::Plan* plan, plans.of(turn));
  const std::uint64_t rules = rules_of(name_of(turn));
  Live found{std::move(turn), *plan, rules};
  found.plan.schema.index();  // it was copied
  return found;
}

Result<std::vector<Report>> deploy(const Site& site, const Bundle& wanted, const Said& said,
                                   const Ways& ways) {
  KOI_LET(Deployment deployment, begin_deployment(site.directory, site.clock()));
  return Deploying(site, std::move(deployment)).run(wanted, said, ways);
}

Result<std::string> preview(const Site& site, const Bundle& wanted, const Ways& ways) {
  KOI_LET(Deployment deployment, begin_deployment(site.directory, site.clock()));
  return Deploying(site, std::move(deployment)).preview(wanted, ways);
}

std::string told(const Report& report) {
  std::string text;
  const auto line = [&](const std::string& what) { text += what + "\n"; };
  const auto many = [](std::uint64_t number, std::string_view one, std::string_view more) {
    return std::to_string(number) + " " + std::string(number == 1 ? one : more);
  };
  if (!report.former) {
    line("rules " + to_hex(report.bundle) + " are the first here");
    return text;
  }
  line("rules " + to_hex(report.bundle) + " follow " + to_hex(*report.former) +
       (report.was_broken_off ? ", in a deploy that had been broken off" : ""));
  if (report.tail_inputs > 0)
    line("  " + many(report.tail_inputs, "input was", "inputs were") +
         " still decided by the former rules");
  if (!report.metrics_built.empty()) {
    std::string names;
    for (const std::string& name : report.metrics_built)
      names += (names.empty() ? "" : ", ") + name;
    line("  built from the journal (" + many(report.rows_read, "row", "rows") + "): " + names);
  }
  line("  " + many(report.carried.customers, "customer", "customers") + " carried over in " +
       std::to_string(report.took.count()) + " ms");
  for (const auto& [campaign, kept] : report.carried.journeys_kept)
    line("  " + many(kept, "journey goes on in ", "journeys go on in ") + campaign);
  for (const auto& [campaign, moved] : report.carried.journeys_moved)
    line("  " + many(moved, "journey goes on in ", "journeys go on in ") + "the new version of " +
         campaign);
  for (const auto& [campaign, ended] : report.carried.journeys_ended)
    line("  " + many(ended, "journey", "journeys") + " in " + campaign + " ended");
  if (report.carried.sends_forgotten > 0)
    line("  " + many(report.carried.sends_forgotten, "message", "messages") +
         " of such campaigns had no receipt yet; it will decide nothing more");
  if (report.carried.consents_forgotten > 0)
    line("  " + many(report.carried.consents_forgotten, "consent", "consents") +
         " forgotten: for channels that are gone");
  if (report.carried.refusals_widened > 0)
    line("  " + many(report.carried.refusals_widened, "refusal", "refusals") +
         " for channels that are gone hold for all channels now");
  if (report.carried.schedules_missed > 0)
    line("  " + many(report.carried.schedules_missed, "scheduled start", "scheduled starts") +
         " not made up for: due before the deploy, beside those of new campaigns");
  return text;
}

}  // namespace koi::deploy
