#include "serve/recorded.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/json.h"
#include "deploy/bundles.h"
#include "deploy/deployment.h"
#include "deploy/link.h"
#include "durable/input.h"
#include "runtime/effects.h"
#include "serve/audit.h"
#include "store/sqlite_journal.h"

namespace koi::serve {

namespace {

constexpr std::size_t rows_read_at_once = 4096;

using PlansByRules = std::map<std::uint64_t, const plan::Plan*>;

// One event as a line of "Events in", by the rules under which it came.
class Line {
 public:
  explicit Line(const plan::Plan& rules) : schema_(rules.schema) {}

  std::string of(const Event& event) {
    const EventType& type = schema_[event.type];
    subject_ = type.to_everyone ? "*" : event.customer;
    data_.clear();
    said_.clear();
    for (std::size_t i = 0; i < event.fields.size(); ++i) {
      if (event.fields[i].is_missing()) continue;
      begin_member(type.fields[i].symbol.name);
      runtime::append_value(data_, schema_, type.fields[i].type, event.fields[i]);
    }
    for (const Identifier& each : event.identifiers) identify(event, each);
    for (const Met& each : event.met) identify(event, each.identifier);
    std::string line = R"({"id":)";
    append_json_string(line, event.id);
    line += R"(,"type":)";
    append_json_string(line, type.symbol.name);
    line += R"(,"time":")" + to_string(event.time, utc()) + R"(","subject":)";
    append_json_string(line, subject_);
    return line + R"(,"data":{)" + data_ + "}}\n";
  }

 private:
  void begin_member(const std::string& name) {
    if (!data_.empty()) data_ += ',';
    append_json_string(data_, name);
    data_ += ':';
    said_.insert(name);
  }

  // What a field links stands in that field already. Of a kind that is said already, this one was
  // the event's subject.
  void identify(const Event& event, const Identifier& identifier) {
    const EventType& type = schema_[event.type];
    const std::string& kind = schema_.identifiers[identifier.kind.index()];
    for (std::size_t i = 0; i < event.fields.size(); ++i) {
      const Field& field = type.fields[i];
      const bool links = field.links == identifier.kind || field.symbol.name == kind;
      if (links && event.fields[i].kind() == Kind::Text &&
          event.fields[i].as_text() == identifier.text)
        return;
    }
    if (said_.contains(kind)) {
      if (!type.to_everyone) subject_ = kind + ":" + identifier.text;
      return;
    }
    begin_member(kind);
    append_json_string(data_, identifier.text);
  }

  const Schema& schema_;
  std::string subject_, data_;
  std::set<std::string> said_;
};

// One group's rows, batch after batch.
class Reading {
 public:
  Reading(const store::Journal& journal, store::Group group) : journal_(journal), group_(group) {}

  Result<void> begin() {
    KOI_LET(const auto aside, journal_.set_aside(group_));
    for (const store::SetAside& each : aside)
      if (each.customer == 0) aside_.insert(each.position);
    return next_batch();
  }
  bool is_over() const { return !opening_; }
  const durable::Opening& opening() const { return *opening_; }

  // Gives the rows of the batch at hand to `take`, and goes on to the next one.
  template <class Take>
  Result<void> batch(Take&& take) {
    for (;;) {
      KOI_LET(const store::Read* const row, peek());
      if (row == nullptr || durable::decode_opening(row->row.bytes)) return next_batch();
      KOI_TRY(take(*row, aside_.contains(row->position)));
      ++at_;
    }
  }

 private:
  Result<void> next_batch() {
    opening_.reset();
    KOI_LET(const store::Read* const row, peek());
    if (row == nullptr) return {};
    opening_ = durable::decode_opening(row->row.bytes);
    if (!opening_) return Error{"corrupt", "a batch of the journal has no opening"};
    ++at_;
    return {};
  }

  // Null at the end.
  Result<const store::Read*> peek() {
    if (at_ == rows_.size()) {
      KOI_LET(rows_, journal_.read(group_, next_, rows_read_at_once));
      at_ = 0;
      if (rows_.empty()) return nullptr;
      next_ = rows_.back().position + 1;
    }
    return &rows_[at_];
  }

  const store::Journal& journal_;
  const store::Group group_;
  std::set<store::Position> aside_;
  std::vector<store::Read> rows_;
  std::size_t at_ = 0;                       // among them
  store::Position next_ = 1;                 // behind them
  std::optional<durable::Opening> opening_;  // of the batch at hand; none: there is none left
};

class Recording {
 public:
  Recording(const PlansByRules& plans, const std::function<Result<void>(std::string_view)>& write)
      : plans_(plans), write_(write) {}

  Result<void> open(const durable::Opening& opening) {
    const auto rules = plans_.find(opening.rules);
    if (rules == plans_.end())
      return Error{"corrupt", "the journal names rules that deployment.json does not have"};
    rules_ = rules->second;
    stamp_ = opening.stamp;
    return {};
  }

  Result<void> take(const store::Read& read, bool is_set_aside) {
    if (is_set_aside) return ++recorded_.set_aside, Result<void>();
    KOI_LET(durable::Input input, durable::decode_input(*rules_, read.row.bytes));
    if (const auto* const event = std::get_if<Event>(&input)) return take(*event);
    if (const auto* const call = std::get_if<core::Call>(&input)) return take(*call);
    return {};
  }

  Recorded finish() {
    for (auto& [name, codes] : pools_) recorded_.pools.push_back({name, std::move(codes)});
    return std::move(recorded_);
  }

 private:
  Result<void> take(const Event& event) {
    const EventType& type = rules_->schema[event.type];
    if (type.is_inner) return {};
    if (type.to_everyone && !to_everyone_.insert(event.id).second) return {};
    ++recorded_.events;
    return write_(Line(*rules_).of(event));
  }

  Result<void> take(const core::Call& call) {
    switch (call.kind) {
      case core::Call::Kind::Stock: {
        auto& codes = pools_[call.code];
        codes.insert(codes.end(), call.together.begin(), call.together.end());
        return {};
      }
      case core::Call::Kind::Claim: {
        Event event;
        event.id = "claim " + call.id;
        event.type = type_of(EngineEvent::Claimed);
        event.time = stamp_;
        event.customer = call.customer;
        event.fields.resize(rules_->schema[event.type].fields.size());
        event.fields[incentive_field::code] = Value::text(call.code);
        return take(event);
      }
      case core::Call::Kind::Validate:
      case core::Call::Kind::Lock:
      case core::Call::Kind::Redeem:
      case core::Call::Kind::RollBack:
      case core::Call::Kind::Approve:
      case core::Call::Kind::Decline:
      case core::Call::Kind::Spend:
      case core::Call::Kind::Unspend: ++recorded_.asked; return {};
    }
    KOI_ASSERT(false);
  }

  const PlansByRules& plans_;
  const std::function<Result<void>(std::string_view)>& write_;
  const plan::Plan* rules_ = nullptr;  // of the batch at hand
  Timestamp stamp_;
  std::set<std::string> to_everyone_;  // ids of events that were written
  std::map<std::string, std::vector<std::string>> pools_;
  Recorded recorded_;
};

}  // namespace

Result<Recorded> recorded(const std::filesystem::path& data,
                          const std::function<Result<void>(std::string_view)>& write,
                          const std::function<bool()>& interrupted) {
  KOI_LET(const AtRest at_rest, open_at_rest(data));
  const auto& [directory, deployment] = at_rest;
  if (deployment.turns.empty()) return Error{"missing", "nothing was put live here yet"};
  KOI_LET(const auto journal, store::SqliteJournal::open(directory, {}));
  const deploy::Bundles bundles(directory);
  deploy::Plans plans(bundles);
  PlansByRules by_rules;
  for (const deploy::Turn& turn : deployment.turns) {
    KOI_LET(const plan::Plan* const rules, plans.of(turn));
    by_rules.emplace(deploy::rules_of(deploy::name_of(turn)), rules);
  }

  std::vector<Reading> groups;
  for (store::Group group = 0; group < journal->groups().count; ++group) {
    const auto begun = groups.emplace_back(*journal, group).begin();
    if (!begun && begun.error().code == "gap")
      return Error{"erased",
                   "the beginning of the journal is not kept any more, and what follows depends on "
                   "it: try the rules on a backup that has it"};
    if (!begun) return begun.error();
  }
  Recording recording(by_rules, write);
  for (;;) {
    if (interrupted()) return Error{"interrupted", "interrupted; nothing was compared"};
    Reading* first = nullptr;
    for (Reading& each : groups)
      if (!each.is_over() && (!first || each.opening().stamp < first->opening().stamp))
        first = &each;
    if (first == nullptr) break;
    KOI_TRY(recording.open(first->opening()));
    KOI_TRY(first->batch([&](const store::Read& read, bool is_set_aside) {
      return recording.take(read, is_set_aside);
    }));
  }

  Recorded recorded = recording.finish();
  const deploy::Turn& last = deployment.turns.back();
  recorded.bundle = last.ways.canary > 0 ? last.against : last.bundle;
  recorded.since = last.since;
  for (const deploy::Turn& turn : deployment.turns)
    if (turn.bundle == recorded.bundle) recorded.since = turn.since;
  KOI_LET(const deploy::Bundle bundle, bundles.read(recorded.bundle));
  recorded.seed = bundle.seed;
  KOI_LET(recorded.live, deploy::compile_former(bundle));
  return recorded;
}

}  // namespace koi::serve
