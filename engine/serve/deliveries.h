// Deliveries: what stands between deciding and sending. Keeps every delivery that has no final
// receipt, as the journal knows it, so that a start goes on with exactly those; counts what was
// decided; and tells the timeline. All of it follows from the journal and is frozen with the
// states.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "durable/deeds.h"
#include "durable/input.h"
#include "plan/plan.h"
#include "runtime/effects.h"
#include "runtime/outbox.h"
#include "runtime/summary.h"
#include "store/groups.h"
#include "store/sent.h"
#include "store/timeline.h"

namespace koi::serve {

// Thread-safe.
class Deliveries final : public durable::Deeds, public runtime::OpenDeliveries {
 public:
  // The plan must outlive it. `keeps_sent`: what is sent is kept for links that lead back to it.
  Deliveries(const plan::Plan& plan, store::Groups groups, bool keeps_sent = false);

  // --- Where things go. Set before the writers start; what is decided before that, in a recovery,
  // is given out by take_open().

  // New deliveries, on the thread of their group.
  using HandOver = std::function<void(std::vector<runtime::Send>)>;
  void hand_over_to(HandOver hand_over);
  // What is put into deliveries on their way out; `decided` is when. Only addresses of ours: what
  // was decided stays as it is.
  using Dress = std::function<void(Delivery& delivery, Timestamp decided)>;
  void dress_with(Dress dress);
  // Makes an input durable, as Writers::submit does, past any queue.
  using Submit =
      std::function<Result<void>(durable::Given, std::function<void(Result<void>)> done)>;
  void submit_with(Submit submit);

  // --- What the writers tell

  void take(store::Group group, std::vector<durable::Deed> deeds) override;
  void settled(store::Group group, const durable::ReceiptFor& receipt) override;
  void attempted(store::Group group, Hash128 key) override;
  // Whatever any group has open for him: at once, whoever has decided it.
  void refused(store::Group group, const core::State& customer) override;
  void waits(store::Group group, const durable::Pause& pause) override;
  std::string freeze(store::Group group) override;
  Result<void> thaw(store::Group group, std::string_view frozen) override;

  // --- What the outbox asks

  void attempting(Hash128 key, std::uint64_t position,
                  std::function<void(Result<void>)> then) override;
  bool is_wanted(Hash128 key) const override;
  Result<std::vector<Open>> take_open() override;
  // Of the open ones, those for a channel that the rules no longer have: nothing can carry them, so
  // they have failed. take_open() leaves them out.
  std::vector<durable::ReceiptFor> without_channel(Timestamp now) const;
  // Of the open ones, those of which no attempt is recorded.
  std::vector<durable::AttemptFor> unattempted() const;

  // --- For others

  std::size_t open() const { return open_; }  // deliveries without a final receipt
  // By campaign's name, of all time; campaigns that are gone stay in it.
  std::map<std::string, runtime::CampaignFigures> figures() const;
  // Writes what happened since the last call into the timeline. After an error the next call tries
  // the same again; a checkpoint until then keeps it. One call at a time.
  Result<void> tell(store::Timeline& timeline);
  // Writes what was sent since the last call, as tell() does; another thread may tell meanwhile.
  Result<void> save(store::Sent& sent);
  // A message that save() has not written yet.
  std::optional<store::SentMessage> unsaved(store::SentName name) const;
  // Customers who have turned out to be others since the last call, in order; where several groups
  // serve. Of those of long ago the oldest are left out.
  struct Merged {
    std::string gone, stays;
  };
  std::vector<Merged> take_merged();
  // Lines that the timeline will never have, because it could not be written for too long.
  std::uint64_t lost_lines() const { return lost_lines_; }

 private:
  struct OpenDelivery {
    runtime::Send send;
    bool attempted = false;
    bool wanted = true;  // until its customer refuses such messages
  };
  struct Group {
    mutable std::mutex mutex;
    std::map<Hash128, OpenDelivery> open;
    std::map<std::string, runtime::CampaignFigures> figures;
    std::vector<runtime::CampaignFigures*> of_campaign;  // into `figures`
    // Lines for the timeline: those to come, and those that tell() has at hand.
    std::vector<store::TimelineEntry> untold, at_hand;
    // The same of messages for save().
    std::vector<store::SentMessage> unsaved, being_saved;
    runtime::EffectLines lines;
    std::string line;
  };
  void note_merged(const durable::Deed& deed);
  void refused(Group& group, const core::State& customer) const;
  void begin(Group& group, const durable::Deed& deed, std::vector<runtime::Send>& sends);
  std::string source_of(const core::Effect& effect) const;
  runtime::CampaignFigures& figures_of(Group& group, const core::Effect& effect) const;
  void to_customer(const core::Effect& effect, Delivery& delivery) const;
  void to_payee(const core::Effect& effect, Delivery& delivery) const;
  void to_team(const core::Effect& effect, Delivery& delivery) const;
  void to_webhook(const core::Effect& effect, Delivery& delivery) const;
  void note(Group& group, store::TimelineEntry entry);
  void find_figures(Group& group) const;
  bool has_channel(const Delivery& delivery) const;

  const plan::Plan& plan_;
  store::Groups groups_;
  const bool keeps_sent_;
  std::vector<std::unique_ptr<Group>> of_group_;
  HandOver hand_over_;
  Dress dress_;
  Submit submit_;
  std::atomic<std::size_t> open_ = 0;
  std::atomic<std::uint64_t> lost_lines_ = 0;
  std::mutex merged_mutex_;
  std::deque<Merged> merged_;
};

}  // namespace koi::serve
