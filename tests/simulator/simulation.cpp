#include "simulation.h"

#include <sqlite3.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "chance.h"
#include "clients.h"
#include "core/codec.h"
#include "core/gate.h"
#include "disk.h"
#include "money.h"
#include "poison.h"
#include "promises.h"
#include "providers.h"
#include "ranking.h"
#include "record.h"
#include "replay.h"
#include "restores.h"
#include "runtime/clock.h"
#include "scene.h"
#include "seams.h"
#include "serve/audit.h"
#include "serve/engine.h"
#include "serve/pools.h"
#include "serve/till.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"
#include "store/timeline.h"
#include "tills.h"
#include "together.h"
#include "turns.h"

namespace koi::simulator {

namespace {

bool is_of_states(std::string_view name) { return name.starts_with("state-"); }

// One life of the process: from its start to its end by whatever.
struct Life {
  store::Directory directory;
  std::unique_ptr<store::SqliteJournal> journal;
  std::unique_ptr<store::SqliteStore> states;
  std::unique_ptr<store::Identifiers> identifiers;
  std::unique_ptr<store::Timeline> timeline;
  std::unique_ptr<JournalSeam> journal_seam;
  std::unique_ptr<StoreSeam> store_seam;
  std::unique_ptr<asio::io_context> context;
  std::unique_ptr<durable::CrashWatch> watch;
  std::unique_ptr<serve::Engine> engine;
  bool is_over = false;  // answers that come now reach nobody

  explicit Life(store::Directory d) : directory(std::move(d)) {}
  ~Life() {
    is_over = true;
    engine.reset();
    context.reset();
  }
};

class Simulation {
 public:
  explicit Simulation(const Run& run)
      : control_(run.control),
        folder_(run.folder),
        record_(run.print),
        chance_(run.seed),
        about_money_(run.about_money || run.over_groups || is_of_money(run.control)),
        scene_(chance_, run.control, about_money_),
        letters_(letters_of(run.seed, scene_, run.over_groups || is_of_groups(run.control))),
        moves_(letters_.has_value() || meets_over_groups(run.seed, scene_)),
        turns_(turns_of(run.seed, scene_, run.folder, run.control)),
        poison_(poison_of(run.seed)),
        restores_(restores_of(run.seed)),
        ranking_(ranking_of(run.seed, scene_, run.folder)),
        halves_(hash64("halves", run.seed)),
        disk_(chance_.split()),
        mount_(folder_, disk_),
        clock_(scene_.begin),
        clients_(chance_.split(), record_, run.control == Control::IdsChanged,
                 scene_.groups.count == 1 || moves_, invite()),
        providers_(chance_.split(), scene_.plan, clock_, record_,
                   run.control == Control::PaidUnderAnotherKey) {
    if (about_money_)
      tills_.emplace(Chance(hash64("tills", run.seed)), record_, control_ == Control::CallsRenamed);
    providers_.on_delivery([this](const Delivery& delivery) {
      check_wanted(delivery);
      clients_.read(delivery.body);
      if (tills_) tills_->read(delivery.body);
    });
    record_.say("program " + scene_.program->name + ", groups " +
                std::to_string(scene_.groups.count) + ", steps " + std::to_string(scene_.steps));
    disk_.on_death([this] {
      if (turns_) turns_->keep_files();
      if (ranking_) ranking_->keep_file();
    });
    if (control_ == Control::AnswersBeforeTheSync)
      disk_.ignore_syncs([](std::string_view name) { return name.starts_with("journal.db"); });
    if (control_ == Control::BuildUnsynced)
      disk_.ignore_syncs([](std::string_view name) { return name.starts_with("build/"); });
    if (control_ == Control::LinksUnsynced)
      disk_.ignore_syncs([](std::string_view name) { return name.starts_with("identifiers.db"); });
  }

  Outcome run() {
    begin_life();
    for (std::uint64_t step = 0; step < scene_.steps && !record_.broken(); ++step) {
      if (restores_) befall(restores_->next());
      if (turns_ && turns_->are_due())
        change_rules();
      else
        do_something();
      ++outcome_.steps;
    }
    if (!record_.broken()) come_to_rest();
    if (!record_.broken()) check(true);
    if (!record_.broken() && stop_cleanly()) {
      older_.clear();
      begin_life();
      if (!record_.broken())
        for (const durable::Recovered& group : life_->engine->writers().recovered())
          if (group.inputs > 0) record_.breach("a clean stop left a tail");
      if (!record_.broken()) check(true);
    }
    end_life();
    outcome_.broken = record_.broken();
    outcome_.hash = record_.hash();
    outcome_.events = clients_.told().size();
    outcome_.crashes = poison_.crashes();
    outcome_.deploys = turns_ ? turns_->deploys() : 0;
    outcome_.built = turns_ ? turns_->built() : 0;
    outcome_.restores = restores_ ? restores_->restores() : 0;
    for (const auto& [key, carried] : providers_.carried()) {
      outcome_.attempts += carried.calls;
      outcome_.delivered += carried.effects;
    }
    return outcome_;
  }

 private:
  // --- Lives ------------------------------------------------------------------------------------

  void begin_life() {
    for (int tries = 0; !record_.broken(); ++tries) {
      if (tries > most_tries) return record_.breach("it does not start any more");
      ++outcome_.lives;
      if (tries < 4 && outcome_.lives > 1) arm_for_recovery();
      Result<void> opened;
      try {
        opened = open();
      } catch (const Crashed&) {
        crash(Death::Kill);
        continue;
      }
      if (disk_.is_dead()) {
        crash();
        continue;
      }
      if (opened) {
        disk_.heal();
        disk_.die_in(0);
        if (restores_ && restores_->is_held()) providers_.lose_all_but(known());
        check(false);
        if (restores_ && restores_->is_held() && !open_restored()) continue;
        if (record_.broken()) return;
        if (const auto sending = life_->engine->begin_sending(); !sending)
          record_.breach("nothing can be sent: " + sending.error().what);
        return;
      }
      // A full disk or a fault of it is a reason not to start; nothing else is.
      const bool is_excused = disk_.has_failed() || disk_.is_full();
      record_.say("not started: " + opened.error().code);
      if (!is_excused) return record_.breach("the start was refused: " + opened.error().what);
      if (tries >= 2) disk_.fill(false);
      crash(Death::Kill);
    }
  }

  // Other rules from here on, after a clean stop or a crash that leaves a tail.
  void change_rules() {
    turns_->change_mind();
    record_.say("other rules are wanted");
    if (!chance_.one_in(2))
      crash();
    else if (!stop_cleanly())
      return;
    begin_life();
  }

  void befall(Restores::Step step) {
    if (step == Restores::Step::None) return;
    if (step != Restores::Step::Loss) {
      restores_->copy(step, disk_);
      if (step == Restores::Step::Customers && turns_) turns_->remember();
      if (step == Restores::Step::Journal) {
        clients_.remember();
        poison_.remember();
        if (tills_) tills_->remember();
      }
      return;
    }
    crash(Death::PowerCut);
    record_.say("the disk is lost, and a backup restored");
    older_.clear();
    disk_.fill(false);
    if (turns_) turns_->take_back();
    restores_->put_back(disk_);
    clients_.take_back();
    poison_.take_back();
    if (tills_) tills_->take_back();
    if (ranking_) ranking_->lose_file();
    begin_life();
  }

  Replay decided_again(const std::vector<Rules>& rules) {
    const store::Journal& journal = *life_->journal_seam;
    return moves_ ? replay_together(rules, journal, scene_.groups, record_)
                  : replay(rules, journal, scene_.groups, record_);
  }

  // What the journal leads to by now.
  std::set<Hash128> known() {
    std::set<Hash128> keys;
    const auto rules = history();
    if (!rules)
      record_.breach("its history cannot be read: " + rules.error().what);
    else
      for (const auto& [key, send] : decided_again(*rules).sends) keys.insert(key);
    return keys;
  }

  // False: it has crashed on the way, and is held still.
  bool open_restored() {
    try {
      if (control_ != Control::OpenUnsuspected)
        if (const auto done = life_->engine->suspect_open(); !done)
          record_.breach("what was restored cannot be opened: " + done.error().what);
    } catch (const Crashed&) {
      crash(Death::Kill);
      return false;
    }
    providers_.forget_lost_but(known());
    restores_->open();
    record_.say("opened");
    return true;
  }

  // What may befall a start.
  void arm_for_recovery() {
    if (turns_ && chance_.one_in(10)) turns_->change_mind();
    if (chance_.one_in(4)) disk_.die_in(chance_.between(1, turns_ ? 160 : 40));
    if (scene_.has_faults && chance_.one_in(4))
      disk_.fail(Disk::Act::Read, chance_.between(1, 200));
    if (scene_.has_faults && chance_.one_in(8)) disk_.fail(Disk::Act::Sync, chance_.between(1, 20));
  }

  Result<void> open() {
    KOI_LET(store::Directory directory,
            store::Directory::open(folder_, {.reserve = 1, .free_bytes = [this](const auto&) {
                                               return std::uint64_t{disk_.is_full() ? 0u : 1u};
                                             }}));
    life_ = std::make_unique<Life>(std::move(directory));
    Life& life = *life_;
    KOI_LET(life.journal,
            store::SqliteJournal::open(life.directory, scene_.groups, store::Copying::ByWriter));
    KOI_LET(life.states, store::SqliteStore::open(life.directory, life.journal->groups()));
    KOI_LET(life.identifiers, store::Identifiers::open(life.directory));
    KOI_LET(life.timeline, store::Timeline::open(life.directory));
    life.journal_seam = std::make_unique<JournalSeam>(*life.journal, control_);
    life.store_seam =
        std::make_unique<StoreSeam>(*life.states, *life.journal, scene_.groups, control_, peopled_);
    life.context = std::make_unique<asio::io_context>(1);
    life.watch = poison_.watch(scene_.groups, *life.journal);
    if (turns_)
      KOI_TRY(turns_->bring({life.directory, *life.journal_seam, *life.store_seam, scene_.groups,
                             clock_, scene_.settings.writers.budget, life.watch.get()},
                            record_));
    KOI_LET(life.engine,
            serve::Engine::open(
                {plan(), turns_ ? turns_->rules() : scene_.program->rules, *life.journal_seam,
                 *life.store_seam, life.journal->groups(), *life.identifiers, clock_,
                 life.context->get_executor(), providers_.lanes(life.context->get_executor()),
                 [](channel::Level, std::string_view) {}, life.watch.get(),
                 /*announcements*/ {},
                 /*ranks*/ ranking_ ? ranking_->file() : std::filesystem::path(),
                 /*since*/ turns_ ? turns_->since() : scene_.begin,
                 /*carry*/ [this](const durable::Letter&) { return is_carried(); }},
                scene_.settings));
    return {};
  }

  // Every one arrives where everything is well again.
  bool is_carried() { return !letters_ || all_arrive_ || letters_->arrives(); }

  Clients::Invite invite() const {
    if (!about_money_) return {};
    return [&plan = scene_.program->plan](const std::string& customer) {
      return core::invite_code(plan, plan::ReferralId::of(0), customer);
    };
  }

  // What is live.
  const plan::Plan& plan() const { return turns_ ? turns_->plan() : scene_.plan; }
  Result<std::vector<Rules>> history() {
    if (turns_) return turns_->history(life_->directory);
    return std::vector<Rules>{{&scene_.plan, {}, {}}};
  }

  // Nothing is handed over to who has refused it by now.
  void check_wanted(const Delivery& delivery) {
    life_->engine->writers().look(delivery.customer, [&](const Result<const core::State*>& state) {
      if (!state || !*state) return;  // the disk fails him
      for (const plan::Campaign& campaign : plan().campaigns)
        for (std::size_t i = 0; i < plan().channels.size(); ++i)
          if (campaign.symbol.name == delivery.campaign &&
              plan().channels[i].symbol.name == delivery.channel &&
              core::has_refused(**state, campaign.campaign_class, plan::ChannelId::of(i)))
            record_.breach("a message was handed over to one who has refused it: " +
                           to_hex(delivery.key));
    });
  }

  // The process is gone, with what it had in memory.
  void end_life() {
    disk_.die();
    providers_.end_life();
    if (life_) life_->is_over = true;
    life_.reset();
  }

  void crash() { crash(chance_.one_in(2) ? Death::Kill : Death::PowerCut); }
  void crash(Death death) {
    record_.say(death == Death::Kill ? "killed" : "power cut");
    outcome_.power_cuts += death == Death::PowerCut ? 1 : 0;
    end_life();
    disk_.restart(death);
    if (turns_) turns_->put_files_back();
    if (ranking_) ranking_->put_file_back();
    if (death == Death::PowerCut) poison_.forget();
    if (restores_) restores_->break_off();
    if (scene_.loses_states && !older_.empty() && chance_.one_in(3)) {
      record_.say("the states are those of before");
      disk_.put_back(is_of_states, older_);
    }
  }
  void crash_and_start(Death death) {
    crash(death);
    begin_life();
  }

  // Everything inside is taken to its end and written back; false where that did not come about.
  bool stop_cleanly() {
    if (!step_all()) return false;
    for (store::Group group = 0; group < scene_.groups.count; ++group)
      if (const auto written = life_->engine->writers().checkpoint(group); !written) {
        record_.say("no clean stop: " + written.error().code);
        crash();
        begin_life();
        return false;
      }
    record_.say("stopped");
    if (restores_) restores_->break_off();
    providers_.end_life();
    life_->is_over = true;
    life_.reset();
    disk_.restart(disk_.is_dead() || chance_.one_in(2) ? Death::PowerCut : Death::Kill);
    return true;
  }

  // --- What happens
  // -------------------------------------------------------------------------------

  void do_something() {
    if (ranking_ && ranking_->is_due()) static_cast<void>(rank());
    if (letters_ && letters_->come_again()) resend();
    const std::uint64_t what = chance_.below(1000);
    if (what < 170) {
      send();
    } else if (what < 350) {
      commit(false);
    } else if (what < 540) {
      step(some_group());
    } else if (what < 570) {
      checkpoint(some_group());
    } else if (what < 640) {
      life_->engine->outbox().turn();
    } else if (what < 780) {
      if (chance_.one_in(3))
        life_->context->poll();
      else
        life_->context->poll_one();
      life_->context->restart();
    } else if (what < 900) {
      providers_.move();
    } else if (what < 950) {
      pass_time();
    } else if (what < 975) {
      trouble();
    } else if (what < 985) {
      static_cast<void>(life_->engine->deliveries().tell(*life_->timeline));
    } else if (what < 993) {
      copy_log_of_journal();
    } else if (what < 996) {
      if (!older_.empty() && chance_.one_in(2))
        older_.clear();
      else
        older_ = disk_.copy(is_of_states);
    } else if (what < 998) {
      if (stop_cleanly()) begin_life();
    } else {
      crash_and_start(chance_.one_in(2) ? Death::Kill : Death::PowerCut);
    }
    if (disk_.is_dead()) crash_and_start(chance_.one_in(2) ? Death::Kill : Death::PowerCut);
  }

  store::Group some_group() {
    return static_cast<store::Group>(chance_.below(scene_.groups.count));
  }

  void send() {
    if (tills_ && tills_->is_due()) ask();
    if (chance_.percent(60) || clients_.told().empty()) clients_.make(clock_.now());
    send(clients_.choose());
  }

  void send(std::vector<std::size_t> which) {
    if (which.empty()) return;
    const bool is_lines = chance_.one_in(2);
    const std::string body = clients_.body(which, is_lines);
    if (chance_.one_in(30)) return;  // lost on its way
    const bool is_heard = !chance_.one_in(20);
    Life* const life = life_.get();
    life->engine->door().take(body, is_lines,
                              [this, life, is_heard, which = std::move(which)](
                                  const Result<std::vector<serve::LineResult>>& came) {
                                if (life->is_over || disk_.is_dead() || !is_heard) return;
                                if (came)
                                  clients_.answered(which, *came);
                                else
                                  record_.say("not taken: " + came.error().code);
                                if (!came) is_busy_ = is_busy_ || came.error().code == "busy";
                              });
  }

  // All letters that are on their way; false where that failed.
  bool resend() {
    const auto done = life_->engine->writers().resend();
    if (!done) record_.say("not sent again: " + done.error().code);
    return done.has_value();
  }

  void ask() {
    std::vector<core::Accounts::Held> held;
    life_->engine->writers().look_at_shared(tills_->some_group(scene_.groups),
                                            [&](const Result<const core::Accounts*>& accounts) {
                                              if (!accounts) return;
                                              if (auto waiting = (*accounts)->held_for_review(10))
                                                held = *std::move(waiting);
                                            });
    ask(tills_->choose(clock_.now(), held));
  }

  // Where its codes lead, and who its customer is by now, is found beforehand. Error "busy" where
  // somebody is on his way between groups; "nobody" where nobody has them.
  Result<void> find(core::Call& call) {
    serve::Places& places = life_->engine->places();
    Result<void> done;
    if (!call.customer.empty())
      places.find_customer(call.customer, [&](Result<std::string> found) {
        if (found)
          call.customer = *std::move(found);
        else
          done = found.error();
      });
    KOI_TRY(std::move(done));
    places.find(call, [&](Result<core::Call> found) {
      if (found)
        call = *std::move(found);
      else
        done = found.error();
    });
    KOI_TRY(std::move(done));
    return call.customer.empty() ? Error{"nobody", "nobody has that code"} : Result<void>();
  }

  // As the API does it.
  void ask(std::size_t which) {
    const net::Asked asked = tills_->request(which);
    if (tills_->is_lost()) return;
    const bool is_heard = tills_->is_heard();
    durable::Writers& writers = life_->engine->writers();
    std::vector<durable::Given> calls;
    if (serve::is_of_pools(asked.path)) {
      auto upload = serve::read_upload(plan(), asked);
      if (!upload) return record_.breach("codes were not understood: " + upload.error().what);
      calls = std::move(upload->calls);
    } else {
      auto request = serve::till_request(plan(), asked, clock_.now());
      if (!request) return record_.breach("a call was not understood: " + request.error().what);
      core::Call& call = request->call;
      if (!request->subject.empty()) {
        auto customer = life_->engine->door().customer_of(request->subject);
        if (!customer) return record_.say("not asked: " + customer.error().code);
        call.customer = *std::move(customer);
      }
      const Result<void> found = letters_ ? find(call) : Result<void>();
      if (!found && (found.error().code != "nobody" || call.kind == core::Call::Kind::Validate))
        return record_.say("not asked: " + found.error().code);
      if (!found) return tills_->refused(which);
      if (call.kind == core::Call::Kind::Validate)
        return writers.validate(call, [](const Result<core::Answer>&) {});
      calls.emplace_back(std::move(call));
    }
    Life* const life = life_.get();
    const auto taken = writers.submit(
        std::move(calls),
        [this, life, is_heard, which](const Result<std::vector<durable::Answer>>& answers) {
          if (life->is_over || disk_.is_dead() || !is_heard) return;
          if (!answers) return record_.say("not told: " + answers.error().code);
          const auto& answer = answers->front().call;
          if (answer) tills_->answered(which, in_words(*answer));
        });
    if (!taken) record_.say("not asked: " + taken.error().code);
    if (!taken) is_busy_ = is_busy_ || taken.error().code == "busy";
  }

  // The next piece of a refreshing; true where there is nothing to be done of it.
  bool rank() {
    using Turn = serve::Ranks::Turn;
    life_->store_seam->is_ranked_by(&plan());
    const auto done = life_->engine->ranks()->turn();
    life_->store_seam->is_ranked_by(nullptr);
    if (disk_.is_dead()) return false;
    if (!done) {
      record_.say("not refreshed: " + done.error().code);
      if (done.error().code != "overtaken")
        static_cast<void>(is_excused("a tier was not refreshed", done.error()));
      return false;
    }
    if (*done == Turn::Moved) record_.say("refreshed a tier on");
    return *done == Turn::Nothing;
  }

  // The process ends itself where it does not know what is on the disk. `whole`: nothing stays
  // written and not synced, as it may else, with more written behind it.
  bool commit(bool whole) {
    durable::Writers& writers = life_->engine->writers();
    const std::uint64_t half = whole ? 2 : halves_.below(4);
    const auto done = half == 0 ? writers.write() : half == 1 ? writers.sync() : writers.commit();
    if (disk_.is_dead()) return false;
    if (done) {
      if (*done) record_.say(half == 0 ? "written" : half == 1 ? "synced" : "committed");
      return *done;
    }
    record_.say("not committed: " + done.error().code);
    if (done.error().code == "full") return false;
    if (is_excused("a commit failed", done.error())) crash_and_start(Death::Kill);
    return false;
  }

  bool step(store::Group group) {
    Result<bool> done = false;
    try {
      done = life_->engine->writers().step(group);
    } catch (const Crashed&) {
      record_.say("crashed in group " + std::to_string(group));
      crash_and_start(Death::Kill);
      return false;
    }
    if (disk_.is_dead()) return false;
    if (done) {
      if (*done) record_.say("stepped group " + std::to_string(group));
      return *done;
    }
    record_.say("not stepped: " + done.error().code);
    if (is_excused("a step failed", done.error())) crash_and_start(Death::Kill);
    return false;
  }

  void checkpoint(store::Group group) {
    const auto done = life_->engine->writers().checkpoint(group);
    if (disk_.is_dead()) return;
    record_.say("checkpoint of group " + std::to_string(group) +
                (done ? "" : ": " + done.error().code));
    if (!done) static_cast<void>(is_excused("a checkpoint failed", done.error()));
  }

  // Nothing fails without the disk's doing.
  bool is_excused(std::string_view what, const Error& error) {
    if (disk_.has_failed() || disk_.is_full()) return true;
    record_.breach(std::string(what) + ": " + error.what);
    return false;
  }

  void pass_time() {
    const auto up_to = [&](Duration most) {
      return microseconds(
          static_cast<std::int64_t>(chance_.below(static_cast<std::uint64_t>(most.us) + 1)));
    };
    Timestamp to = clock_.now();
    const std::uint64_t how = chance_.below(100);
    if (how < 40)
      to = to + up_to(seconds(10));
    else if (how < 60)
      to = to + up_to(minutes(10));
    else if (how < 80)
      to = to + up_to(hours(3));
    else if (how < 90)
      to = std::max(to, std::min(life_->engine->outbox().next(), to + days(3)));
    else if (how < 95)
      to = to + up_to(days(2));
    else if (how < 97)
      to = to + up_to(days(10));
    else
      to = std::max(to - up_to(hours(6)), scene_.begin);  // it was wrong, and is set right
    clock_.set(to);
    latest_ = std::max(latest_, to);
    record_.say("it is " + koi::to_string(to, utc()));
  }

  void trouble() {
    switch (chance_.below(8)) {
      case 0:
      case 1:
      case 2: disk_.die_in(chance_.between(1, 60)); break;
      case 3:
      case 4:
        disk_.fill(!disk_.is_full());
        record_.say(disk_.is_full() ? "the disk is full" : "the disk has room");
        break;
      default:
        if (!scene_.has_faults) break;
        disk_.fail(static_cast<Disk::Act>(chance_.below(3)), chance_.between(1, 30));
        record_.say("the disk will fail");
    }
  }

  // The thread beside the journal does this when its log is long.
  void copy_log_of_journal() {
    sqlite3* db = nullptr;
    const std::string file = (folder_ / "journal.db").string();
    if (sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK)
      sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    sqlite3_close(db);
  }

  // --- The end
  // --------------------------------------------------------------------------------------

  // Commits and steps until nothing waits; false where the process ended on the way.
  bool step_all() {
    const std::uint64_t life = outcome_.lives;
    for (bool is_moving = true; is_moving && !record_.broken();) {
      is_moving = false;
      for (store::Group group = 0; group < scene_.groups.count; ++group)
        while (life == outcome_.lives && !record_.broken() && step(group)) is_moving = true;
      if (life == outcome_.lives && !record_.broken() && commit(true)) is_moving = true;
      if (disk_.is_dead()) crash_and_start(Death::PowerCut);
      if (life != outcome_.lives) return false;
      if (disk_.is_full()) break;
      if (letters_ && !is_moving && !record_.broken()) is_moving = bring_all();
    }
    return !record_.broken();
  }

  // Sends all letters again, and none of them is lost; false where none is on its way.
  bool bring_all() {
    if (life_->engine->writers().figures().letters == 0) return false;
    all_arrive_ = true;
    const bool is_sent = resend();
    all_arrive_ = false;
    if (++letters_brought_ > 10'000) record_.breach("letters never arrive");
    return is_sent;
  }

  // Lets the outbox and the providers do all that they can at this instant; false as step_all().
  bool carry_all() {
    for (bool is_moving = true; is_moving;) {
      serve::Engine& engine = *life_->engine;
      const std::uint64_t commits = engine.writers().commits();
      engine.outbox().turn();
      is_moving = life_->context->poll() > 0;
      while (providers_.move()) {
        life_->context->restart();
        life_->context->poll();
        is_moving = true;
      }
      life_->context->restart();
      if (!step_all()) return false;
      is_moving = is_moving || engine.writers().commits() > commits;
    }
    return true;
  }

  // Everything is well again: what was acknowledged is decided, what was not is sent again, and
  // every delivery gets its receipt.
  void come_to_rest() {
    disk_.heal();
    disk_.die_in(0);
    disk_.fill(false);
    scene_.has_faults = false;
    providers_.behave();
    for (int round = 0; round < 4000 && !record_.broken(); ++round) {
      serve::Engine& engine = *life_->engine;
      is_busy_ = false;
      send(clients_.unanswered(4));
      if (tills_)
        for (const std::size_t which : tills_->unanswered(clock_.now(), 4)) ask(which);
      if (!step_all()) continue;
      if (is_busy_)
        for (store::Group group = 0; group < scene_.groups.count; ++group) checkpoint(group);
      if (!carry_all()) continue;
      if (ranking_ && !rank()) {
        // What was begun while the clock was ahead waits until it is there again.
        clock_.set(std::max(clock_.now(), latest_));
        continue;
      }
      if (tills_ && !tills_->unanswered(clock_.now(), 1).empty()) continue;
      if (clients_.unanswered(1).empty() && engine.deliveries().open() == 0 &&
          engine.outbox().open() == 0)
        return record_.say("at rest after " + std::to_string(round));
      const Timestamp next = engine.outbox().next();
      if (next != Timestamp::never()) clock_.set(std::max(clock_.now(), next));
      record_.say("it is " + koi::to_string(clock_.now(), utc()) + ", " +
                  std::to_string(engine.deliveries().open()) + " deliveries are open");
    }
    if (!record_.broken())
      record_.breach("no rest: " + std::to_string(clients_.unanswered(1000).size()) +
                     " events are not answered, " +
                     std::to_string(life_->engine->deliveries().open()) + " deliveries are open");
  }

  // --- Promises
  // -------------------------------------------------------------------------------------

  void check(bool is_at_rest) {
    Life& life = *life_;
    const auto rules = history();
    if (!rules) return record_.breach("its history cannot be read: " + rules.error().what);
    const Replay expected = decided_again(*rules);
    for (store::Group group = 0; group < expected.set_aside.size(); ++group)
      for (const store::SetAside& what : expected.set_aside[group])
        poison_.check(group, what, record_);
    check_decisions(plan(), expected, record_);
    check_answers(expected, clients_, record_);
    check_standing(plan(), expected, *life.engine, *life.identifiers, record_);
    check_providers(expected, providers_, record_);
    if (moves_ && is_at_rest) check_nobody_waits(expected, record_);
    if (about_money_) {
      check_money(scene_.program->plan, expected, *life.states, record_);
      check_pools(scene_.program->plan, expected, record_);
      check_tills(scene_.program->plan, expected, *tills_, record_);
      if (letters_ && is_at_rest) check_loans(plan(), expected, record_);
      if (!letters_) check_audit();
    }
    if (ranking_)
      check_ranks(plan(), expected, is_at_rest ? life.engine->ranks() : nullptr, record_);
    std::uint64_t inputs = 0;
    for (const store::Position end : expected.ends) inputs += end;
    outcome_.inputs = inputs;
    outcome_.sends = expected.sends.size();
    record_.say((is_at_rest ? "at rest: " : "recovered: ") + std::to_string(inputs) + " rows, " +
                std::to_string(expected.customers.size()) + " customers, " +
                std::to_string(expected.sends.size()) + " messages, " +
                std::to_string(expected.receipts.size()) + " receipts, states " +
                to_hex(bytes_of(expected)));
  }

  // What `koi ledger verify` says, where a checkpoint holds everything.
  void check_audit() {
    const auto last = life_->journal_seam->last(0);
    const auto position = life_->states->position(0);
    if (!last || !position || *last != *position) return;
    const auto audit = serve::audit(plan(), *life_->journal_seam, *life_->states, scene_.groups,
                                    turns_.has_value());
    if (!audit) return record_.breach("the ledger cannot be verified: " + audit.error().what);
    if (!audit->findings.empty()) record_.breach("the ledger: " + audit->findings.front());
  }

  Hash128 bytes_of(const Replay& expected) const {
    HashInput all;
    for (const auto& [id, state] : expected.customers) all.text(core::encode(plan(), state));
    return all.hash128();
  }

  static constexpr int most_tries = 200;

  Control control_;
  std::filesystem::path folder_;
  Record record_;
  Chance chance_;
  const bool about_money_;
  Scene scene_;
  std::optional<Letters> letters_;  // where several groups serve those who compete
  const bool moves_;                // customers go from one group to another
  std::optional<Turns> turns_;      // none: the rules stay
  Poison poison_;
  std::optional<Restores> restores_;  // none: the disk is never lost
  std::optional<Ranking> ranking_;    // none: no tier is refreshed
  std::optional<Tills> tills_;        // where something is given
  Chance halves_;
  Disk disk_;
  Mount mount_;
  runtime::ManualClock clock_;
  Timestamp latest_;  // that it has told
  Clients clients_;
  Providers providers_;
  Disk::Copy older_;
  std::set<Partition> peopled_;
  bool is_busy_ = false;
  bool all_arrive_ = false;
  std::uint64_t letters_brought_ = 0;
  Outcome outcome_;
  std::unique_ptr<Life> life_;
};

}  // namespace

Outcome simulate(const Run& run) { return Simulation(run).run(); }

}  // namespace koi::simulator
