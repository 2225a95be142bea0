// Explaining: one question of explain.h on its way to its answer. The customer's inputs are decided
// again (explain.cpp), and what comes of it is noted as it is to be told (explain_told.cpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/state.h"
#include "deploy/deployment.h"
#include "deploy/states.h"
#include "durable/writer.h"
#include "match/index.h"
#include "model/partition.h"
#include "plan/plan.h"
#include "serve/explain.h"
#include "store/memory.h"

namespace koi::serve {

class Explaining final : public durable::Deeds {
 public:
  Explaining(const store::Directory& directory, const store::Journal& journal, store::Groups groups,
             const Question& question, std::uint64_t room)
      : directory_(directory),
        journal_(journal),
        groups_(groups),
        question_(question),
        room_(room) {}
  ~Explaining() override;

  // The same question, of the campaign and the instant of its message.
  Result<Question> find();
  Result<std::string> run();

  // durable::Deeds
  void take(store::Group, std::vector<durable::Deed> deeds) override {
    for (const durable::Deed& deed : deeds) {
      if (deed.customer != question_.customer) continue;
      const std::size_t lines = lines_;
      decided(deed.effect, deed.waited != 0 ? &deed.waited_since : nullptr);
      if (deed.waited != 0) note_waited(deed, lines_ > lines);
    }
  }
  void waits(store::Group, const durable::Pause& pause) override;
  void goes_on(store::Group, const durable::Pause& pause) override;
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }

 private:
  // A time at which a trigger's first event came.
  struct Attempt {
    Timestamp time;
    std::string event_id;
    std::string json;  // without the braces, and without what follows
    bool decided = false;
    std::int64_t waited = 0;  // the number under which the event waits
  };

  // An input of his that waited between groups, or does yet.
  struct Wait {
    std::int64_t number = 0;
    std::string event;                  // its id; empty: it is none
    std::string json;                   // without the braces, and without what follows
    std::vector<std::string> accounts;  // lists of accounts: one for each time that it was tried
    store::Position decided = 0;        // 0: it waits yet
    Timestamp stamp;                    // of the batch there
    std::vector<Hash128> done;          // the keys of what it came to
  };
  struct Sent {
    Hash128 key;
    Timestamp at;
    plan::CampaignClass campaign_class;
    std::string campaign, content, channel;
  };

  // Deciding again.
  Result<bool> has_met_others(const deploy::Deployment& deployment,
                              const std::vector<const plan::Plan*>& all) const;
  Result<void> decide_again();
  Result<void> make_world();
  Result<void> live(const deploy::Turn& turn, const plan::Plan& rules, store::Position last);
  Result<void> take_row(const store::Read& read, const plan::Plan& rules);
  std::optional<durable::Given> wanted(durable::Input input) const;
  Result<void> extend(const plan::Plan& rules, durable::Given& given) const;
  Result<void> write_back();
  Result<void> carry_all(const plan::Plan& next, const deploy::Turn& turn, std::uint64_t number);
  Result<void> wait_until_asked();
  Result<void> read_state();

  // What is told.
  void before(const Event& event, const core::State& state);
  void after(const Event& event, std::size_t lines_before, std::int64_t waited);
  void decided(const core::Effect& effect, const Timestamp* waited_since = nullptr);
  void note_waited(const durable::Deed& deed, bool is_told);
  Wait* wait_of(std::int64_t number);
  void append_waits(std::string& out) const;
  void append_counted(std::string& out, const core::Effect& refusal) const;
  void append_history(std::string& out, const core::Effect& merge) const;
  std::string told();

  store::Group group() const { return groups_.group_of(partition_of(question_.customer)); }
  std::string time(Timestamp at) const { return to_string(at, *plan_.policy.zone); }
  const plan::Campaign* campaign() const;
  bool is_asked(const plan::Campaign& each) const {
    return question_.campaign.empty() || each.symbol.name == question_.campaign;
  }

  const store::Directory& directory_;
  const store::Journal& journal_;
  const store::Groups groups_;
  const Question& question_;
  const std::uint64_t room_;  // for everybody's states in memory, in bytes
  core::State state_;         // between two turns
  plan::Plan plan_;           // of the turn at hand, with all metrics …
  plan::Plan quiet_;          // … and where no event begins a campaign
  core::State asked_;  // as the event at hand found him: counted, with nothing begun by it yet
  std::unique_ptr<match::Index> index_;
  // Where customers compete, one's inputs alone do not say what he was given: everybody is decided
  // again, and kept here from turn to turn, on the disk as far as memory is full. Else he alone is,
  // and nothing is kept.
  bool everybody_ = false;
  deploy::States states_;  // everybody's
  std::unique_ptr<store::MemoryStore> alone_;
  store::Store* world_ = nullptr;  // one of the two
  store::Epoch epoch_ = 0;
  std::unique_ptr<durable::Writer> writer_;
  store::Position position_ = 0;
  Timestamp stamp_;  // of the batch at hand
  bool is_over_ = false, is_open_ = false, has_campaign_ = false;
  std::optional<Question> found_;  // where the message was decided
  std::string done_;               // effects of the campaign as JSON, commas between
  std::size_t lines_ = 0;
  std::int64_t at_hand_ = 0;    // the number under which the event at hand waits; 0: it does not
  std::vector<Sent> sent_;      // of all campaigns, but for what failed: that counts for no cap
  const Zone* zone_ = nullptr;  // the customer's
  std::vector<Attempt> attempts_;
  std::vector<Wait> waits_;
  std::vector<std::string> reasons_;  // of the event at hand, by trigger
  std::string rules_;
};

}  // namespace koi::serve
