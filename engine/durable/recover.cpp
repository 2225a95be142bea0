#include "durable/recover.h"

#include <utility>

namespace koi::durable {

namespace {

constexpr std::size_t rows_at_once = 1024;
// Of the budget that states changed by the replay may hold before they are written back.
constexpr std::uint64_t percent_held = 40;

std::string text_of(std::uint64_t number) { return std::to_string(number); }

// Sets writer and deeds to where the checkpoint stands.
Result<void> begin(Writer& writer, const store::Journal& journal, const store::Store& store,
                   store::Group group, store::Position position, std::uint64_t rules,
                   Deeds& deeds) {
  KOI_TRY(writer.learn(rules));
  KOI_LET(const store::Position last, journal.last(group));
  const auto foreign = [&] {
    return Error{"foreign", "the states of group " + text_of(group) + " stand for position " +
                                text_of(position) +
                                " of another journal than the one beside them; put back the files "
                                "that belong together"};
  };
  if (position > last) return foreign();
  if (position == 0) return {};
  const auto chain = journal.chain(group, position);
  if (!chain && chain.error().code != "gap") return chain.error();
  KOI_LET(const std::string bytes, store.kept(group));
  KOI_LET(const Kept kept, decode_kept(bytes));
  if (!chain || *chain != kept.chain) return foreign();
  writer.begin_behind(position, kept.stamp);
  return deeds.thaw(group, kept.deeds);
}

Result<void> check(const Opening& opening, std::uint64_t rules, store::Group group) {
  if (opening.semantics != semantics)
    return Error{"semantics",
                 "the journal of group " + text_of(group) +
                     " ends with inputs that a Koi with semantics " + text_of(opening.semantics) +
                     " has decided, and this one has semantics " + text_of(semantics) +
                     "; start that version once more and stop it cleanly, then start this one"};
  if (opening.rules != rules)
    return Error{"rules", "the journal of group " + text_of(group) +
                              " ends with inputs that other rules have decided; start with those "
                              "once more and stop cleanly, then start with these"};
  return {};
}

}  // namespace

Result<std::optional<store::SetAside>> set_aside_suspect(CrashWatch* watch, store::Journal& journal,
                                                         store::Group group, store::Epoch epoch) {
  auto suspect = watch ? watch->suspect(group) : std::nullopt;
  if (!suspect) return suspect;
  KOI_LET(const store::Position last, journal.last(group));
  if (suspect->position > last)
    suspect.reset();  // the marks are another journal's
  else
    KOI_TRY(journal.set_aside(group, epoch, *suspect));
  watch->settled(group);
  return suspect;
}

Result<Recovered> recover(Writer& writer, const plan::Plan& plan, std::uint64_t rules,
                          const store::Journal& journal, store::Store& store, store::Group group,
                          store::Epoch epoch, Deeds& deeds) {
  Recovered done;
  KOI_LET(done.from, store.position(group));
  KOI_TRY(begin(writer, journal, store, group, done.from, rules, deeds));
  KOI_LET(auto set_aside, journal.set_aside(group));
  writer.leave_out(std::move(set_aside));
  done.to = done.from;
  bool is_open = false;
  const auto close = [&]() -> Result<void> {
    if (!std::exchange(is_open, false)) return {};
    writer.close();
    if (writer.percent_held() < percent_held) return {};
    Frozen frozen = freeze(writer, group, epoch, deeds);
    KOI_TRY(write(frozen, journal, store,
                  [&](std::span<const Changed> which, std::vector<store::Saved>& into) {
                    writer.customers().take(which, into);
                    return Result<void>();
                  }));
    writer.committed();
    ++done.checkpoints;
    return {};
  };
  for (;;) {
    KOI_LET(const auto rows, journal.read(group, done.to + 1, rows_at_once));
    if (rows.empty()) break;
    std::vector<Wanted> wanted;
    for (const store::Read& read : rows) {
      const std::string_view customer = customer_in(read.row.bytes);
      if (customer.empty()) continue;
      const Partition partition = read.row.partition;
      wanted.push_back({store::place_of(partition, customer), partition, customer});
    }
    KOI_TRY(writer.customers().bring_all(wanted));
    for (const store::Read& read : rows) {
      // An opening of other semantics may be all of its batch that can be read.
      if (const auto opening = decode_opening(read.row.bytes)) {
        KOI_TRY(close());
        KOI_TRY(check(*opening, rules, group));
        KOI_TRY(writer.open(read.position, *opening));
        is_open = true;
      } else {
        KOI_LET(Input input, decode_input(plan, read.row.bytes));
        const Given given = given_of(std::move(input));
        if (!is_open)
          return Error{"corrupt", "the journal of group " + text_of(group) +
                                      " does not begin a batch at position " +
                                      text_of(read.position)};
        const auto applied = writer.apply(read.position, read.row.partition, given);
        if (!applied) return applied.error();
        ++done.inputs;
      }
      done.to = read.position;
    }
  }
  KOI_TRY(close());
  return done;
}

}  // namespace koi::durable
