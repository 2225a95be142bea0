// By hand: for tests, here and in the modules above, what a process does with its groups, without
// its threads: one thing after another, all that can be done, coming to rest. And one group's
// journal decided again from nothing, to compare with what is stored.
#pragma once

#include <string>
#include <vector>

#include "base/assert.h"
#include "core/codec.h"
#include "core/merge.h"
#include "durable/input.h"
#include "durable/writers.h"

namespace koi::durable {

// The first id that begins so and belongs to that group.
inline std::string id_of(store::Groups groups, store::Group group, const std::string& begin) {
  for (int i = 0;; ++i)
    if (std::string id = begin + std::to_string(i); groups.group_of(partition_of(id)) == group)
      return id;
}

// One thing that a process does, by a number below `things_done`: it writes, syncs, sends letters
// again, writes that group back, or steps it, which most numbers are for.
constexpr std::size_t things_done = 18;
inline Result<void> do_one(Writers& writers, store::Group group, std::size_t number) {
  Result<bool> did = true;
  if (number < 4)
    did = writers.write();
  else if (number < 7)
    did = writers.sync();
  else if (number == 7)
    return writers.resend();
  else if (number == 8)
    return writers.checkpoint(group);
  else
    did = writers.step(group);
  return did ? Result<void>() : did.error();
}

// Commits and steps until there is nothing left to do. What is lost on its way stays lost.
inline void run_dry(Writers& writers) {
  for (bool more = true; more;) {
    more = *writers.commit();
    for (store::Group group = 0; group < writers.groups().count; ++group)
      while (*writers.step(group)) more = true;
  }
}

// Until every letter has arrived; none may be lost any more.
inline void come_to_rest(Writers& writers) {
  KOI_ASSERT(writers.resend());
  do run_dry(writers);
  while (writers.figures().letters > 0);
}

// Writes every group back.
inline Result<void> store_all(Writers& writers) {
  for (store::Group group = 0; group < writers.groups().count; ++group)
    KOI_TRY(writers.checkpoint(group));
  return {};
}

// Takes a group's journal, row by row, through a writer that has seen none of it.
inline Result<void> replay(Writer& writer, const plan::Plan& plan, const store::Journal& journal,
                           store::Group group) {
  for (store::Position at = 1;;) {
    KOI_LET(const auto rows, journal.read(group, at, 1000));
    if (rows.empty()) break;
    at += rows.size();
    for (const store::Read& read : rows) {
      if (const auto opening = decode_opening(read.row.bytes)) {
        writer.close();
        KOI_TRY(writer.open(read.position, *opening));
        continue;
      }
      KOI_LET(Input input, decode_input(plan, read.row.bytes));
      const Given given = given_of(std::move(input));
      const auto applied = writer.apply(read.position, read.row.partition, given);
      if (!applied) return applied.error();
    }
  }
  writer.close();
  return {};
}

// The group's customers whose stored state, or next timer, is not what that writer has come to.
inline std::vector<std::string> differently_stored(const store::Store& store,
                                                   const plan::Plan& plan, store::Groups groups,
                                                   store::Group group, Writer& writer) {
  std::vector<std::string> found;
  const core::Codec codec(plan);
  for (std::size_t partition = group; partition < partition_count; partition += groups.count) {
    const auto all = *store.scan(static_cast<Partition>(partition), "", SIZE_MAX);
    for (const store::Saved& saved : all) {
      const core::State& state =
          **writer.customers().of(static_cast<Partition>(partition), saved.customer);
      if (saved.bytes != codec.encode(state) || saved.due != core::next_due(state))
        found.push_back(saved.customer);
      writer.customers().unchanged();
    }
  }
  return found;
}

// Who the customer is by now, as the last checkpoints have it, in whatever group.
inline std::string whoever(const store::Store& store, const plan::Plan& plan,
                           std::string customer) {
  const core::Codec codec(plan);
  for (int led = 0;; ++led) {
    KOI_ASSERT(led < 100);  // nobody leads to himself
    const auto bytes = *store.load(partition_of(customer), customer);
    if (!bytes) return customer;
    const core::State state = *codec.decode(*bytes);
    if (core::gone_to(state) == nullptr) return customer;
    customer = *core::gone_to(state);
  }
}

}  // namespace koi::durable
