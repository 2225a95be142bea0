#include "deploy/walk.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "core/decide.h"
#include "deploy/leads.h"
#include "durable/checkpoint.h"
#include "model/codec.h"

namespace koi::deploy {

namespace {

constexpr std::uint8_t mark_version = 3;  // 2: nobody was moved; 1: nobody was kept

}  // namespace

std::string encode(const Mark& mark) {
  ByteWriter out;
  out.byte(mark_version);
  out.unsigned_(mark.turn);
  out.boolean(mark.is_over);
  out.unsigned_(mark.partition);
  out.text(mark.customer);
  out.unsigned_(mark.carried.customers);
  for (const auto* journeys :
       {&mark.carried.journeys_ended, &mark.carried.journeys_kept, &mark.carried.journeys_moved}) {
    out.unsigned_(journeys->size());
    for (const auto& [campaign, number] : *journeys) {
      out.text(campaign);
      out.unsigned_(number);
    }
  }
  out.unsigned_(mark.carried.sends_forgotten);
  out.unsigned_(mark.carried.consents_forgotten);
  out.unsigned_(mark.carried.refusals_widened);
  out.unsigned_(mark.carried.schedules_missed);
  return out.take();
}

Result<Mark> decode_mark(std::string_view bytes) {
  ByteReader in(bytes);
  Mark mark;
  const std::uint8_t written = in.byte();
  mark.turn = in.unsigned_();
  mark.is_over = in.boolean();
  const std::uint64_t partition = in.unsigned_();
  mark.partition = static_cast<Partition>(partition);
  mark.customer = in.text();
  mark.carried.customers = in.unsigned_();
  for (auto* journeys :
       {&mark.carried.journeys_ended, &mark.carried.journeys_kept, &mark.carried.journeys_moved}) {
    if (written == 1 && journeys == &mark.carried.journeys_kept) break;
    if (written == 2 && journeys == &mark.carried.journeys_moved) break;
    for (std::size_t left = in.count(2); left > 0; --left) {
      std::string campaign(in.text());
      (*journeys)[std::move(campaign)] = in.unsigned_();
    }
  }
  mark.carried.sends_forgotten = in.unsigned_();
  mark.carried.consents_forgotten = in.unsigned_();
  mark.carried.refusals_widened = in.unsigned_();
  mark.carried.schedules_missed = in.unsigned_();
  if (written >= 1 && written <= mark_version && in.ok() && in.at_end() &&
      partition < partition_count)
    return mark;
  return Error{"corrupt", "the mark that says how far a deploy has come is damaged"};
}

Result<void> Carrier::learn(const std::vector<std::string>& layouts) {
  for (const std::string& layout : layouts) KOI_TRY(from_.learn(layout));
  return {};
}

Result<store::Saved> Carrier::operator()(const store::Saved& saved, Carried& counts) const {
  const auto of_him = [&](const Error& error) {
    return Error{error.code,
                 "customer " + std::to_string(hash64(saved.customer)) + ": " + error.what};
  };
  auto decoded = from_.decode(saved.bytes);
  if (!decoded) return of_him(decoded.error());
  core::State state = *std::move(decoded);
  if (complete_)
    if (const auto completed = complete_(state); !completed) return of_him(completed.error());
  state = carry_(std::move(state), now_, counts);
  return store::Saved{saved.partition, saved.customer, to_.encode(state), core::next_due(state)};
}

Result<Carried> walk(const Walk& what, std::uint64_t turn) {
  KOI_LET(const store::Position position, what.store.position(what.group));
  KOI_LET(const std::string bytes, what.store.kept(what.group));
  // A group whose journal was empty when the deploy began has nothing and keeps nothing.
  if (bytes.empty()) return Carried();
  KOI_LET(durable::Kept kept, durable::decode_kept(bytes));
  Mark mark{.turn = turn};
  if (!kept.walk.empty()) {
    KOI_LET(Mark last, decode_mark(kept.walk));
    if (last.turn == turn) mark = std::move(last);
  }
  if (mark.is_over) return mark.carried;

  Carrier carrier(what.from, what.to, what.carry, what.now, what.complete);
  KOI_LET(const auto layouts, what.store.layouts(what.group));
  KOI_TRY(carrier.learn(layouts));

  const Leads leads(what.from, what.to);
  std::vector<store::Saved> changed;
  std::size_t size = 0;
  std::uint64_t since = 0;
  const auto checkpoint = [&]() -> Result<void> {
    std::sort(changed.begin(), changed.end(), [](const store::Saved& a, const store::Saved& b) {
      return store::place_of(a.partition, a.customer) < store::place_of(b.partition, b.customer);
    });
    kept.walk = encode(mark);
    const std::string now_kept = durable::encode(kept);
    std::span<const store::Saved> left(changed);
    const store::Pieces pieces = [&left]() -> Result<std::span<const store::Saved>> {
      return std::exchange(left, {});
    };
    KOI_LET(const auto shared, leads.of(changed, what.store, what.group));
    KOI_TRY(what.store.checkpoint(
        {what.group, what.epoch, position, now_kept, carrier.layout(), shared}, pieces));
    changed.clear();
    size = 0;
    if (what.walked) what.walked(std::exchange(since, 0));
    return {};
  };

  const auto step = static_cast<Partition>(what.groups.count);
  Partition partition = mark.customer.empty() ? what.group : mark.partition;
  std::string after = mark.customer;
  for (std::size_t at = partition; at < partition_count; at += step) {
    partition = static_cast<Partition>(at);
    for (;;) {
      KOI_LET(const auto piece, what.store.scan(partition, after, what.rules.piece));
      for (const store::Saved& saved : piece) {
        KOI_LET(store::Saved made, carrier(saved, mark.carried));
        mark.partition = partition;
        mark.customer = saved.customer;
        ++since;
        if (made != saved) {
          size += made.bytes.size();
          changed.push_back(std::move(made));
        }
        if (changed.size() >= what.rules.customers || size >= what.rules.bytes)
          KOI_TRY(checkpoint());
      }
      if (piece.size() < what.rules.piece) break;
      after = piece.back().customer;
    }
    after.clear();
  }
  mark.is_over = true;
  KOI_TRY(checkpoint());
  return mark.carried;
}

}  // namespace koi::deploy
