#include "serve/server.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/address.hpp>
#include <asio/signal_set.hpp>
#include <asio/use_future.hpp>
#include <atomic>
#include <csignal>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "deploy/deploy.h"
#include "deploy/deployment.h"
#include "deploy/package.h"
#include "net/client.h"
#include "net/server.h"
#include "runtime/fit.h"
#include "serve/api.h"
#include "serve/audit.h"
#include "serve/backup.h"
#include "serve/callbacks.h"
#include "serve/codes.h"
#include "serve/data.h"
#include "serve/ending.h"
#include "serve/engine.h"
#include "serve/log.h"
#include "serve/making.h"
#include "serve/network.h"
#include "serve/operations.h"
#include "serve/pools.h"
#include "serve/reception.h"
#include "serve/teller.h"
#include "serve/touches.h"

namespace koi::serve {

namespace {

void info(std::string_view what) { log(channel::Level::Info, what); }

bool is_own(const std::string& address) {
  std::error_code fault;
  const asio::ip::address parsed = asio::ip::make_address(address, fault);
  return !fault && parsed.is_loopback();
}

// --- A life -------------------------------------------------------------------------------------

class Life {
 public:
  // `held_since`: the deployment was restored and waits to be opened.
  Life(std::unique_ptr<deploy::Live> live, const runtime::Environment& environment,
       channel::ConnectorTypes connectors, const ServerOptions& options, Data& data,
       std::optional<Timestamp> held_since)
      : live_(std::move(live)),
        held_since_(held_since),
        environment_(environment),
        connectors_(connectors),
        options_(options),
        data_(data),
        api_(shown(), options.token) {}
  ~Life() {
    // What runs on the network's thread ends there, before what it stands on.
    network_.on_thread([this] { door_.reset(); });
    stop_callbacks();
    network_.stop();
    data_.notes->settle();  // their ends come to the network's context, which is still there
    teller_.reset();
    reception_.reset();
    engine_.reset();
    lanes_.clear();
    client_.reset();
  }

  Result<void> begin() {
    listen_to_signals();
    KOI_TRY(open_door());
    client_ = std::make_unique<net::Client>(network_.context().get_executor(), environment_.http);
    network_.on_thread([this] {
      api_.operate_with([this](net::Asked asked, net::Reply reply) {
        operations_.handle(std::move(asked), std::move(reply));
      });
      api_.make_codes_with([this](const net::Asked& asked, net::Reply reply) {
        make_code(network_.context().get_executor(), lanes_, asked, std::move(reply));
      });
    });
    KOI_LET(lanes_, open_lanes(environment_, live_->plan));
    for (const runtime::Misfit& misfit : misfits_of(live_->plan))
      log(misfit.is_error() ? channel::Level::Problem : channel::Level::Warning,
          to_string(misfit, Language::English));
    if (!held_since_) return open();
    const std::string why = "this deployment was restored from a backup of " +
                            to_string(*held_since_, utc()) +
                            ": nothing is taken in and nothing is sent until `koi open` says so";
    info(why);
    network_.on_thread([&] { api_.hold(why); });
    return {};
  }

  std::string url() const {
    const std::string host = options_.address.find(':') == std::string::npos
                                 ? options_.address
                                 : "[" + options_.address + "]";
    return "http://" + host + ":" + std::to_string(port_);
  }

  // Serves until the end, and does on the way what it is asked for.
  std::optional<Error> wait() {
    for (;;) {
      const bool is_over = ending_.wait_or_woken();
      while (auto wish = operations_.take()) do_wish(*std::move(wish));
      if (at_work_ && (is_over || at_work_->is_done)) finish_work();
      if (is_over || (!engine_ && !held_since_)) return ending_.wait();
    }
  }

  // Nothing accepted is lost: events first, then what is under way to the channels, then the
  // states.
  Result<void> end() {
    info("stopping: finishing what is under way");
    network_.on_thread([this] { api_.end("the server is stopping"); });
    const auto stopped = network_.on_thread([this] {
      return asio::co_spawn(network_.context(), door_->stop(options_.drain), asio::use_future);
    });
    stopped.wait();
    if (!engine_) return {};
    stop_callbacks();
    reception_.reset();
    drain();
    auto done = engine_->stop();
    teller_.reset();
    if (done) info("stopped: everything is stored");
    return done;
  }

 private:
  Shown shown() {
    return {live_->plan,      to_hex(live_->turn.bundle),
            options_.version, clock_,
            data_.directory,  *data_.timeline,
            *data_.store,     data_.journal->groups()};
  }

  // A wish for other rules or a backup: all but the border is done on a thread of its own.
  struct Work {
    explicit Work(Operations::Wish of) : wish(std::move(of)) {}
    const Operations::Wish wish;
    Hash128 bundle;
    std::vector<runtime::Lane> lanes;  // of the rules
    std::optional<Making> making;
    Result<std::string> came = std::string();  // of what does not go live what it says
    std::atomic<bool> is_done = false;
    std::thread thread;
  };

  // What the environment's providers would not take of rules.
  std::vector<runtime::Misfit> misfits_of(const plan::Plan& plan) const {
    return runtime::misfits(environment_, plan, connectors_);
  }

  // For each channel of other rules; those that are served already keep their connectors, which
  // may hold what is there once.
  Result<std::vector<runtime::Lane>> lanes_for(const plan::Plan& plan) {
    using Lanes = std::vector<runtime::Lane>;
    const auto lane_of = [](const Lanes& lanes, const std::string& name) {
      return std::find_if(lanes.begin(), lanes.end(),
                          [&](const runtime::Lane& lane) { return lane.channel == name; });
    };
    // What nothing serves yet, with what the environment says of it; a name is one thing alone.
    plan::Plan unserved;
    runtime::Environment theirs = environment_;
    theirs.channels.clear();
    theirs.teams.clear();
    theirs.webhooks.clear();
    const auto want = [&](const auto& each, const std::string& name, auto& list, const auto& given,
                          auto& into) {
      if (lane_of(lanes_, name) != lanes_.end()) return;
      list.push_back(each);
      if (const auto found = given.find(name); found != given.end()) into.insert(*found);
    };
    for (const plan::Channel& each : plan.channels)
      want(each, each.symbol.name, unserved.channels, environment_.channels, theirs.channels);
    for (const Symbol& each : plan.teams)
      want(each, each.name, unserved.teams, environment_.teams, theirs.teams);
    for (const Symbol& each : plan.webhooks)
      want(each, each.name, unserved.webhooks, environment_.webhooks, theirs.webhooks);
    KOI_LET(const Lanes opened, open_lanes(theirs, unserved));
    Lanes lanes;
    const auto take = [&](const std::string& name, std::uint32_t rate) {
      const auto known = lane_of(lanes_, name);
      lanes.push_back(known != lanes_.end() ? *known : *lane_of(opened, name));
      lanes.back().rate_per_second = rate;
    };
    for (const plan::Channel& each : plan.channels)
      take(each.symbol.name, environment_.rate_of(each));
    for (const Symbol& each : plan.teams) take(each.name, 0);
    for (const Symbol& each : plan.webhooks) take(each.name, 0);
    return lanes;
  }

  Result<std::vector<runtime::Lane>> open_lanes(const runtime::Environment& environment,
                                                const plan::Plan& plan) {
    return network_.on_thread([&] {
      return runtime::open_lanes(
          environment, plan, connectors_,
          {network_.context().get_executor(), client_.get(), [this] { return clock_.now(); }, log},
          [this](const std::string& channel) { return notebook_of(channel); });
    });
  }

  // A channel's, of this and all former lives; its connector's coroutines may outlive a deploy.
  Result<channel::Notebook*> notebook_of(const std::string& channel) {
    auto& notebook = notebooks_[channel];
    if (!notebook) {
      KOI_LET(auto kept, data_.notes->of(channel));
      std::vector<channel::Note> notes;
      for (store::Note& note : kept)
        notes.push_back({std::move(note.name), std::move(note.text), note.until});
      notebook =
          std::make_unique<channel::Notebook>([this] { return clock_.now(); }, std::move(notes));
      notebook->keep_with(
          [this, channel](channel::Note note, std::function<void(Result<void>)> then) {
            data_.notes->put({channel, std::move(note.name), std::move(note.text), note.until},
                             std::move(then));
          });
    }
    return notebook.get();
  }

  // Puts the live rules to work over the data; from the end of it on requests are answered. Of what
  // was held: `opened_by` says who has opened it.
  Result<void> open(const deploy::Said& opened_by = {}) {
    Settings settings;
    settings.writers.budget = options_.memory;
    settings.keeps_sent = !environment_.public_url.empty();
    KOI_LET(engine_, Engine::open({live_->plan, live_->rules, *data_.journal, *data_.store,
                                   data_.journal->groups(), *data_.identifiers, clock_,
                                   network_.context().get_executor(), lanes_, log,
                                   data_.watch.get(), data_.directory.path() / "everyone",
                                   data_.directory.path() / "ranks", live_->turn.since},
                                  settings));
    tell_recovered();
    if (settings.keeps_sent) {
      links_.emplace(environment_.public_url, data_.sent->secret());
      engine_->deliveries().dress_with(
          [this](Delivery& delivery, Timestamp decided) { links_->dress(delivery, decided); });
    }
    if (held_since_) {
      KOI_TRY(engine_->suspect_open());
      KOI_TRY(mark_opened(data_.directory, clock_.now(), opened_by));
      held_since_.reset();
    }
    KOI_TRY(network_.on_thread([this] { return engine_->begin_sending(); }));
    engine_->start([this](const Error& error) { trouble(error); });
    teller_ = std::make_unique<Teller>(engine_->deliveries(), *data_.timeline, *data_.sent, clock_);
    reception_ = std::make_unique<Reception>(*engine_);
    network_.on_thread([this] {
      asio::co_spawn(network_.context(), engine_->outbox().run(), asio::detached);
      callbacks_ = std::make_unique<Callbacks>(
          network_.context().get_executor(), live_->plan, lanes_,
          Callbacks::Ways{[this](std::string lines, const Door::Answer& answer) {
                            reception_->take(std::move(lines), true, answer);
                          },
                          [this](Hash128 key, Failure failure) {
                            return engine_->outbox().heard(key, failure);
                          },
                          log});
      callbacks_->begin_looking();
      if (links_) open_touches();
      api_.begin(shown(), *engine_, *reception_, *callbacks_, touches_.get());
    });
    return {};
  }

  void drain() {
    network_
        .on_thread([this] {
          return asio::co_spawn(network_.context(), engine_->outbox().drain(options_.drain),
                                asio::use_future);
        })
        .wait();
  }

  // The other way round, with everything written back; requests wait from the beginning of it on.
  // Gives what may be let go of behind it.
  Result<std::unique_ptr<durable::Writers>> close() {
    network_.on_thread([this] { api_.pause(); });
    stop_callbacks();
    reception_.reset();
    KOI_TRY(engine_->stop());
    teller_.reset();
    return network_.on_thread([this] {
      auto left = engine_->give_writers();
      engine_.reset();
      return left;
    });
  }

  void do_wish(Operations::Wish wish) {
    if (wish.kind == Operations::Wish::Kind::Status) return wish.answer(status());
    if (wish.kind == Operations::Wish::Kind::Explain)
      return wish.answer(
          explain(data_.directory, *data_.journal, data_.journal->groups(), wish.question));
    if (wish.kind == Operations::Wish::Kind::Open) return wish.answer(open_held(wish.said));
    at_work_ = std::make_unique<Work>(std::move(wish));
    at_work_->thread = std::thread([this, &work = *at_work_] {
      const bool is_backup = work.wish.kind == Operations::Wish::Kind::Backup;
      work.came = is_backup              ? back_up()
                  : work.wish.is_preview ? preview(work.wish)
                                         : make_ready(work);
      work.is_done = true;
      ending_.wake();
    });
  }

  // What was made ready goes live, if all is well.
  void finish_work() {
    at_work_->thread.join();
    Operations::Outcome outcome;
    const bool is_backup = at_work_->wish.kind == Operations::Wish::Kind::Backup;
    if (is_backup) outcome.state = "stored";
    if (at_work_->wish.is_preview) outcome.state = "preview";
    auto told = std::move(at_work_->came);
    if (told && outcome.state == "live")
      told = ending_.is_over() ? Error{"stopping", "the server stops; what was live stays so"}
                               : put_live(*at_work_, outcome.pause);
    outcome.told = told ? *told : told.error().what;
    if (!told) outcome.code = told.error().code;
    if (!told)
      log(channel::Level::Problem,
          (is_backup ? "no backup was made: " : "not put live: ") + outcome.told);
    operations_.over(at_work_->wish.number, std::move(outcome));
    at_work_.reset();
  }

  // Of a deployment that was restored: from here on it serves as any other.
  Result<std::string> open_held(const deploy::Said& said) {
    if (!held_since_) return Error{"open", "this deployment is open already"};
    if (const auto opened = open(said); !opened) {  // the next start finds it held, or open
      ending_.because(opened.error());
      network_.on_thread([this] { api_.end("the server is stopping"); });
      return opened.error();
    }
    info("opened by " + said.by + ": " + said.why);
    return std::string("{\"state\":\"open\"}\n");
  }

  // What backups that were broken off have left. Only this server makes any there, one at a time.
  void clear_broken_off() const {
    std::error_code fault;
    std::vector<std::filesystem::path> left;
    for (const auto& entry : std::filesystem::directory_iterator(options_.backups, fault)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("koi-") && name.ends_with(".part")) left.push_back(entry.path());
    }
    for (const auto& path : left) std::filesystem::remove_all(path, fault);
  }

  // A backup in the folder for them, named by the moment.
  Result<std::string> back_up() {
    if (options_.backups.empty())
      return Error{"backups", "this server was not told where backups go: start it with --backups"};
    std::string moment = to_string(clock_.now(), utc());
    std::replace(moment.begin(), moment.end(), ':', '-');
    const auto place = std::filesystem::absolute(options_.backups / ("koi-" + moment));
    clear_broken_off();
    KOI_TRY(engine_->writers().write_back());  // so that little is left to decide in the copy
    KOI_LET(const Backup backup,
            serve::back_up(data_.directory.path(), place,
                           {options_.memory / 4, [this] { return ending_.is_over(); },
                            [this](std::string stage) { operations_.say(std::move(stage)); }}));
    info("a backup was made: " + place.string());
    return place.string() + "\n" + told(backup);
  }

  Result<std::string> status() {
    KOI_LET(const auto deployment, deploy::read_deployment(data_.directory));
    KOI_LET(const deploy::Census census,
            deploy::take_census(*data_.store, data_.journal->groups(), live_->plan, clock_.now()));
    KOI_LET(const std::string budgets,
            budgets_json(*data_.store, data_.journal->groups(), live_->plan, clock_.now()));
    KOI_LET(const auto pools, stocks(*data_.store, data_.journal->groups(), live_->plan));
    std::promise<Result<ReferralFigures>> asked;
    ask_referrals(engine_->writers(), live_->plan,
                  [&](Result<ReferralFigures> told) { asked.set_value(std::move(told)); });
    KOI_LET(const ReferralFigures referrals, asked.get_future().get());
    return status_json(*deployment, *live_, census, budgets, to_json(pools),
                       campaigns_json(live_->plan, to_hex(live_->turn.bundle),
                                      engine_->deliveries().figures(), referrals));
  }

  // The bundle that is asked for, if it may be put live, and who does it.
  Result<deploy::Bundle> wanted(const Operations::Wish& wish, deploy::Said& said) {
    KOI_LET(const auto deployment, deploy::read_deployment(data_.directory));
    if (wish.kind == Operations::Wish::Kind::Rollback) {
      // A canary was never the rules of everybody.
      for (auto turn = deployment->turns.rbegin(); turn != deployment->turns.rend(); ++turn)
        if (turn->bundle != live_->turn.bundle && turn->ways.canary == 0)
          return deploy::Bundles(data_.directory).read(turn->bundle);
      return Error{"rollback", "there are no rules before those that are live"};
    }
    if (wish.kind == Operations::Wish::Kind::Promote) {
      if (live_->turn.ways.canary == 0)
        return Error{"canary", "there is no canary to promote: what is live is so for everybody"};
      return deploy::Bundles(data_.directory).read(live_->turn.bundle);
    }
    KOI_LET(auto package, deploy::decode_package(wish.package, "what was sent"));
    if (options_.keys) {
      KOI_LET(const auto names, deploy::signed_by(package, *options_.keys));
      if (names.size() < options_.approvals)
        return Error{"approvals", "the bundle is signed by " + std::to_string(names.size()) +
                                      " of this server's key ring, and wants " +
                                      std::to_string(options_.approvals)};
      for (std::size_t i = 0; i < names.size(); ++i)
        said.by += (i == 0 ? ", signed by " : " and ") + names[i];
    }
    KOI_TRY(deploy::check_plan(package));
    return deploy::Bundle{deployment->seed, std::move(package.files)};
  }

  // What a deploy's ways would do, as of the last checkpoint.
  Result<std::string> preview(const Operations::Wish& wish) {
    deploy::Said said;
    KOI_LET(const deploy::Bundle bundle, wanted(wish, said));
    KOI_LET(const plan::Plan plan, deploy::compile(bundle));
    const std::string unfit = runtime::told(misfits_of(plan), false);
    const deploy::Site site =
        site_of(data_, clock_, options_.memory / 4, !environment_.public_url.empty(), {});
    KOI_LET(const std::string moves, deploy::preview(site, bundle, wish.ways));
    return unfit.empty() ? moves : unfit + "\n" + moves;
  }

  // Everything but the border itself, while events are taken and decided.
  Result<std::string> make_ready(Work& work) {
    const Operations::Wish& wish = work.wish;
    deploy::Said said = wish.said;
    KOI_LET(deploy::Bundle bundle, wanted(wish, said));
    work.bundle = deploy::name_of(bundle);
    if (work.bundle == live_->turn.bundle && wish.ways.moves_nobody() &&
        wish.ways.canary == live_->turn.ways.canary)
      return Error{"live",
                   "these rules are live already, since " + to_string(live_->turn.since, utc())};
    KOI_LET(const plan::Plan plan, deploy::compile(bundle));
    if (const std::string unfit = runtime::told(misfits_of(plan), true); !unfit.empty())
      return Error{"environment", unfit};
    KOI_LET(work.lanes, lanes_for(plan));
    work.making.emplace(
        Making::Amid{
            data_, clock_, options_.memory / 4, !environment_.public_url.empty(),
            [this] { return engine_->writers().write_back(); }, [this] { drain(); },
            [this](Duration rest) { return ending_.wait_for(std::chrono::microseconds(rest.us)); },
            [this](std::string stage) { operations_.say(std::move(stage)); }},
        Making::Wanted{std::move(bundle), std::move(said), wish.ways});
    KOI_TRY(work.making->make_ready());
    return std::string();
  }

  // For the pause events wait, and are answered behind it.
  Result<std::string> put_live(Work& work, std::chrono::milliseconds& pause) {
    const auto began = std::chrono::steady_clock::now();
    info("putting rules " + to_hex(work.bundle) + " live: events wait");
    const auto closed = close();
    if (!closed) {  // what stopped the writers ends the process; the next start recovers
      ending_.because(closed.error());
      return closed.error();
    }
    auto told = work.making->go_live();
    auto live = deploy::live(data_.directory);
    const auto deployment = deploy::read_deployment(data_.directory);
    if (!live || !deployment || !*deployment || (*deployment)->is_under_way) {
      // Neither the old nor the new can go on before it is finished: the next start does so.
      const Error error = !told ? told.error() : !live ? live.error() : deployment.error();
      ending_.because(error);
      network_.on_thread([this] { api_.end("the server is stopping: a deploy was broken off"); });
      return error;
    }
    live_ = std::make_unique<deploy::Live>(*std::move(live));
    if (told) network_.on_thread([&] { lanes_ = std::move(work.lanes); });
    if (auto opened = open(); !opened) {
      ending_.because(opened.error());
      network_.on_thread([this] { api_.end("the server is stopping"); });
      return opened.error();
    }
    pause = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                  began);
    info("events waited for " + std::to_string(pause.count()) + " ms");
    return told;
  }

  Result<void> open_door() {
    net::ServerSettings settings;
    settings.address = options_.address;
    for (int tries = 0;; ++tries) {
      settings.port = static_cast<std::uint16_t>(options_.port + tries);
      auto opened = network_.on_thread([&] {
        return asio::co_spawn(
            network_.context(),
            [](Life& life, net::ServerSettings with) -> asio::awaitable<void> {
              auto door =
                  co_await net::Server::open(life.network_.context(), std::move(with),
                                             [&life](net::Asked asked, net::Reply reply) {
                                               life.api_.handle(std::move(asked), std::move(reply));
                                             });
              life.opened_.emplace(std::move(door));
            }(*this, settings),
            asio::use_future);
      });
      opened.get();
      Result<std::unique_ptr<net::Server>> door = *std::exchange(opened_, std::nullopt);
      if (!door && door.error().code == "port_in_use" && tries < options_.other_ports) continue;
      KOI_LET(door_, std::move(door));
      port_ = door_->port();
      return {};
    }
  }

  void open_touches() {
    touches_ = std::make_unique<Touches>(
        network_.context().get_executor(), *links_, clock_,
        Touches::Ways{[this](std::function<void()> work) { reception_->later(std::move(work)); },
                      [this](store::SentName name) -> Result<std::optional<store::SentMessage>> {
                        if (auto fresh = engine_->deliveries().unsaved(name)) return fresh;
                        return data_.sent->find(name);
                      },
                      [this](std::string lines, const Door::Answer& answer) {
                        reception_->take(std::move(lines), true, answer);
                      },
                      [this](Hash128 key, std::string by) {
                        return engine_->outbox().heard(key, Failure::None, std::move(by));
                      }});
  }

  // Who comes from outside without being a source of events: providers, and people by their links.
  void stop_callbacks() {
    if (!callbacks_) return;
    network_
        .on_thread([this] {
          return asio::co_spawn(network_.context(), callbacks_->stop(), asio::use_future);
        })
        .wait();
    network_.on_thread([this] {
      callbacks_.reset();
      touches_.reset();
    });
  }

  void listen_to_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a full disk
    network_.on_thread([this] {
      signals_.emplace(network_.context(), SIGTERM, SIGINT);
      signals_->async_wait([this](std::error_code fault, int) {
        if (fault) return;
        ending_.because(std::nullopt);
        signals_->async_wait([](std::error_code again, int) {
          if (!again) std::_Exit(130);  // as a kill: the next start recovers
        });
      });
    });
  }

  void trouble(const Error& error) {
    log(channel::Level::Problem, error.what);
    // What may go well later is tried again by the writers themselves.
    if (error.code != "full") ending_.because(error);
  }

  void tell_recovered() {
    const auto& recovered = engine_->writers().recovered();
    std::uint64_t inputs = 0;
    for (std::size_t group = 0; group < recovered.size(); ++group) {
      inputs += recovered[group].inputs;
      if (const auto& what = recovered[group].set_aside)
        log(channel::Level::Problem,
            (what->customer == 0 ? "the input" : "a customer's timers") +
                std::string(" at position ") + std::to_string(what->position) + " of group " +
                std::to_string(group) +
                " crashed the process twice: set aside, never to be decided; please report it");
    }
    if (inputs > 0)
      info("recovered: " + std::to_string(inputs) +
           " inputs behind the last checkpoint were decided again");
    if (const std::size_t open = engine_->deliveries().open(); open > 0)
      info(std::to_string(open) + " deliveries are open from before");
  }

  std::unique_ptr<deploy::Live> live_;
  std::optional<Timestamp> held_since_;
  const runtime::Environment& environment_;
  const channel::ConnectorTypes connectors_;
  const ServerOptions& options_;
  Data& data_;
  const runtime::SystemClock clock_;
  Api api_;
  Ending ending_;
  Operations operations_{[this] { ending_.wake(); }};
  std::unique_ptr<Work> at_work_;
  Network network_;
  std::optional<asio::signal_set> signals_;
  std::unique_ptr<net::Client> client_;
  std::map<std::string, std::unique_ptr<channel::Notebook>> notebooks_;
  std::vector<runtime::Lane> lanes_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Reception> reception_;
  std::unique_ptr<Teller> teller_;
  std::unique_ptr<Callbacks> callbacks_;
  std::optional<MessageLinks> links_;
  std::unique_ptr<Touches> touches_;
  std::optional<Result<std::unique_ptr<net::Server>>> opened_;
  std::unique_ptr<net::Server> door_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<void> serve(std::vector<deploy::Bundle::File> program,
                   const runtime::Environment& environment, channel::ConnectorTypes connectors,
                   const ServerOptions& options) {
  if (options.token.empty() && !is_own(options.address))
    return Error{"token", "on " + options.address +
                              " others can reach this server; give it a token (KOI_TOKEN in the "
                              "environment, or --token-file FILE), or listen on 127.0.0.1"};
  deploy::Bundle bundle{.files = std::move(program)};
  std::uint16_t groups = options.groups;
  if (groups == 0 && !bundle.files.empty()) {
    KOI_LET(const plan::Plan plan, deploy::compile(bundle));
    // Whoever competes in one group is served in one order, without a word between groups.
    if (plan.has_competition()) groups = 1;
  }
  KOI_LET(const std::unique_ptr<Data> data, Data::open(options.data, groups));
  KOI_LET(const deploy::Deployment deployment,
          deploy::begin_deployment(data->directory, runtime::SystemClock().now()));
  bundle.seed = deployment.seed;
  if (bundle.files.empty()) {
    if (deployment.turns.empty())
      return Error{"rules", "nothing was put live in " + options.data.string() +
                                " yet; say which rules to serve"};
    KOI_LET(bundle, deploy::Bundles(data->directory).read(deployment.turns.back().bundle));
  }
  // Rules that are a canary stay one until somebody says otherwise.
  deploy::Ways ways;
  if (!deployment.turns.empty() && deployment.turns.back().bundle == deploy::name_of(bundle))
    ways.canary = deployment.turns.back().ways.canary;
  KOI_TRY(deploy_to(*data, bundle, {"koi serve", "started with these rules"}, ways,
                    !environment.public_url.empty(), options.memory));
  KOI_LET(deploy::Live live, deploy::live(data->directory));
  KOI_LET(const auto held, held_since(data->directory));
  Life life(std::make_unique<deploy::Live>(std::move(live)), environment, connectors, options,
            *data, held);
  KOI_TRY(life.begin());
  info("serving at " + life.url());
  if (options.ready) options.ready(life.url());
  if (const auto error = life.wait()) return *error;
  return life.end();
}

}  // namespace koi::serve
