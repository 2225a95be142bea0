#include "match/conditions.h"

#include <map>
#include <string_view>

#include "match/detail/split.h"

namespace koi::match {

namespace {

// Bounds of what is built, so that memory grows with the conditions alone: rows of all dimensions
// together (each is one bit a conjunction), and bins of one.
constexpr std::size_t rows_for_all = 4096;
constexpr std::size_t bins_at_most = 256;
constexpr std::size_t bins_at_least = 8;
constexpr std::size_t computed_at_most = 64;
// A dimension that rules out fewer conjunctions of an event than this is not worth its look-up.
constexpr std::size_t ruled_out_at_least = 1;
// So many must look for a text before one automaton looks for all.
constexpr std::size_t searching_at_least = 8;

std::size_t bins_below(std::span<const std::int64_t> cuts, std::int64_t number) {
  return static_cast<std::size_t>(std::upper_bound(cuts.begin(), cuts.end(), number) -
                                  cuts.begin());
}

}  // namespace

class Builder {
 public:
  Builder(const plan::Plan& plan, Conditions& made) : splitter_(plan), made_(made) {}

  void build(std::span<const Condition> conditions, std::size_t rows_above);

 private:
  // A dimension in the making: its bins, and for each entry that it concerns which are possible.
  struct Draft {
    Cell cell;
    Kind kind = Kind::Missing;
    std::vector<std::uint32_t> entries;  // those with a test of this cell
    std::vector<std::int64_t> cuts;      // of a number
    std::vector<std::uint16_t> table;    // of a text: bin by hash
    std::uint8_t shift = 0;
    std::size_t bins = 0;
    std::vector<std::vector<bool>> possible;  // by entry: missing, unknown, then each bin
    std::size_t let_through = 0;              // how many entries all bins let through together
  };

  void add(std::uint32_t condition, Conjunction tests);
  std::vector<Draft> drafts(bool computed);
  void cut_numbers(Draft& draft, std::size_t bins) const;
  void hash_texts(Draft& draft, std::size_t bins) const;
  std::vector<bool> possible_of(const Draft& draft, std::uint32_t entry) const;
  void restrict_to(const Draft& draft, const Test& test, std::vector<bool>& possible) const;
  std::vector<std::uint64_t> hashes_of(const Test& test) const;
  void lay_out(Draft& draft);
  void build_searches();
  std::uint32_t new_row(bool full);
  void set(std::uint32_t row, std::uint32_t entry, bool bit = true);
  std::span<const Test> tests_of(std::uint32_t entry) const {
    const auto& e = made_.entries_[entry];
    return std::span(made_.tests_).subspan(e.first_test, e.end_test - e.first_test);
  }

  Splitter splitter_;
  Conditions& made_;
};

Conditions::Conditions(const plan::Plan& plan, std::span<const Condition> conditions,
                       std::size_t rows_above) {
  Builder(plan, *this).build(conditions, rows_above);
}

void Builder::build(std::span<const Condition> conditions, std::size_t rows_above) {
  made_.conditions_.assign(conditions.begin(), conditions.end());
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    made_.entries_of_.push_back(static_cast<std::uint32_t>(made_.entries_.size()));
    for (Conjunction& tests : splitter_.split(conditions[i].node, conditions[i].also))
      add(static_cast<std::uint32_t>(i), std::move(tests));
  }
  made_.entries_of_.push_back(static_cast<std::uint32_t>(made_.entries_.size()));
  made_.entries_of_.shrink_to_fit();
  auto next = static_cast<std::uint32_t>(made_.entries_.size());
  for (std::size_t i = made_.entries_.size(); i-- > 0;) {
    if (i + 1 < made_.entries_.size() &&
        made_.entries_[i].condition != made_.entries_[i + 1].condition)
      next = static_cast<std::uint32_t>(i + 1);
    made_.entries_[i].next = next;
  }
  made_.tables_ = splitter_.take();

  for (const auto& [cell, kind] : splitter_.kinds()) {
    auto& needed = cell.space == Space::Field ? made_.fields_ : made_.attributes_;
    if (cell.space != Space::Computed) needed = std::max(needed, std::uint32_t{cell.place} + 1);
  }
  made_.same_pattern_.resize(made_.tables_.patterns.size());
  for (std::uint32_t i = 0; i < made_.same_pattern_.size(); ++i) made_.same_pattern_[i] = i;

  if (made_.entries_.size() > rows_above) {
    const std::size_t block_bits = Conditions::block * 64;
    made_.words_ = (made_.entries_.size() + block_bits - 1) / block_bits * Conditions::block;
    const std::uint32_t all = new_row(false);
    for (std::uint32_t i = 0; i < made_.entries_.size(); ++i) set(all, i);
    for (Draft& draft : drafts(false)) lay_out(draft);
    made_.at_hand_ = made_.dimensions_.size();
    for (Draft& draft : drafts(true)) lay_out(draft);
    build_searches();
    made_.rows_.shrink_to_fit();
  }
  made_.tests_.shrink_to_fit();
  made_.entries_.shrink_to_fit();
  made_.has_rows_ = !made_.dimensions_.empty() || !made_.searches_.empty();
  made_.remembers_ =
      made_.has_rows() || !made_.tables_.computed.empty() || !made_.tables_.truths.empty();
}

void Builder::add(std::uint32_t condition, Conjunction tests) {
  Conditions::Entry entry;
  entry.condition = condition;
  entry.first_test = static_cast<std::uint32_t>(made_.tests_.size());
  made_.tests_.insert(made_.tests_.end(), tests.begin(), tests.end());
  entry.end_test = static_cast<std::uint32_t>(made_.tests_.size());
  made_.entries_.push_back(entry);
}

// --- Dimensions ---------------------------------------------------------------------------------

// The values worth rows, the sparsest rows first.
std::vector<Builder::Draft> Builder::drafts(bool computed) {
  std::map<Cell, Draft> by_cell;
  for (std::uint32_t i = 0; i < made_.entries_.size(); ++i)
    for (const Test& test : tests_of(i)) {
      if (test.ask == Test::Ask::Truth || (test.cell.space == Space::Computed) != computed)
        continue;
      Draft& draft = by_cell[test.cell];
      if (draft.entries.empty() || draft.entries.back() != i) draft.entries.push_back(i);
    }
  std::vector<Draft> chosen;
  for (auto& [cell, draft] : by_cell) {
    draft.cell = cell;
    draft.kind = splitter_.kinds().at(cell);
    if (draft.kind == Kind::Text || is_numeric(draft.kind)) chosen.push_back(std::move(draft));
  }
  std::stable_sort(chosen.begin(), chosen.end(), [](const Draft& a, const Draft& b) {
    return a.entries.size() > b.entries.size();
  });
  const std::size_t at_most = computed ? computed_at_most : Conditions::at_hand_at_most;
  if (chosen.size() > at_most) chosen.resize(at_most);
  if (chosen.empty()) return chosen;

  const std::size_t bins = std::clamp(rows_for_all / chosen.size(), bins_at_least, bins_at_most);
  for (Draft& draft : chosen) {
    if (draft.kind == Kind::Text)
      hash_texts(draft, bins);
    else
      cut_numbers(draft, bins);
    for (const std::uint32_t entry : draft.entries) {
      draft.possible.push_back(possible_of(draft, entry));
      const auto& bits = draft.possible.back();
      draft.let_through += static_cast<std::size_t>(
          std::count(bits.begin() + Conditions::first_bin_row, bits.end(), true));
    }
    draft.let_through += (made_.entries_.size() - draft.entries.size()) * draft.bins;
  }
  const std::size_t entries = made_.entries_.size();
  std::erase_if(chosen, [&](const Draft& draft) {
    return entries * draft.bins - draft.let_through < ruled_out_at_least * draft.bins;
  });
  std::stable_sort(chosen.begin(), chosen.end(), [](const Draft& a, const Draft& b) {
    return a.let_through * b.bins < b.let_through * a.bins;
  });
  return chosen;
}

// Cuts the numbers where an answer changes; where that is too often, at every so many of them.
void Builder::cut_numbers(Draft& draft, std::size_t bins) const {
  std::vector<std::int64_t> cuts;
  const auto cut_around = [&](std::int64_t first, std::int64_t last) {
    if (first != lowest) cuts.push_back(first);
    if (last != highest) cuts.push_back(last + 1);
  };
  for (const std::uint32_t entry : draft.entries)
    for (const Test& test : tests_of(entry)) {
      if (test.cell != draft.cell) continue;
      if (test.ask == Test::Ask::Range) cut_around(test.first(), test.last());
      if (test.ask == Test::Ask::Short)
        for (std::uint64_t k = test.head; k < test.head + test.low; ++k) {
          const auto number = static_cast<std::int64_t>(made_.tables_.keys[k].tail);
          cut_around(number, number);
        }
    }
  std::sort(cuts.begin(), cuts.end());
  std::vector<std::int64_t> distinct = cuts;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() >= bins) {
    distinct.clear();
    for (std::size_t i = 1; i < bins; ++i) distinct.push_back(cuts[i * cuts.size() / bins]);
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  }
  if (distinct.empty()) distinct.push_back(0);
  draft.cuts = std::move(distinct);
  draft.bins = draft.cuts.size() + 1;
}

std::vector<std::uint64_t> Builder::hashes_of(const Test& test) const {
  std::vector<std::uint64_t> hashes;
  const auto take = [&](const Value& value) { hashes.push_back(spread(value, words_of(value))); };
  if (test.ask == Test::Ask::Range) {
    hashes.push_back(spread(Value(), {test.head, test.low}));
  } else if (test.ask == Test::Ask::Short) {
    for (std::uint64_t k = test.head; k < test.head + test.low; ++k)
      hashes.push_back(spread(Value(), made_.tables_.keys[k]));
  } else if (test.ask == Test::Ask::Listed) {
    for (std::uint64_t k = test.head; k < test.head + test.low; ++k) take(made_.tables_.values[k]);
  }
  return hashes;
}

// Bin 0 is for the texts that nobody speaks of. Texts may share a place, and places a bin: rows
// then let through what one of them does.
void Builder::hash_texts(Draft& draft, std::size_t bins) const {
  std::vector<std::uint64_t> hashes;
  for (const std::uint32_t entry : draft.entries)
    for (const Test& test : tests_of(entry))
      if (test.cell == draft.cell && !test.negated)
        for (const std::uint64_t hash : hashes_of(test)) hashes.push_back(hash);
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());

  constexpr std::size_t places_at_most = 4096;
  const std::size_t places =
      std::min(places_at_most, std::bit_ceil(std::max<std::size_t>(2, hashes.size() * 4)));
  draft.shift = static_cast<std::uint8_t>(64 - std::bit_width(places - 1));
  draft.table.assign(places, 0);
  std::size_t used = 0;
  for (const std::uint64_t hash : hashes) {
    std::uint16_t& bin = draft.table[hash >> draft.shift];
    if (bin == 0) bin = static_cast<std::uint16_t>(1 + used++ % (bins - 1));
  }
  draft.bins = 1 + std::min(used, bins - 1);
}

std::vector<bool> Builder::possible_of(const Draft& draft, std::uint32_t entry) const {
  std::vector<bool> possible(Conditions::first_bin_row + draft.bins, true);
  for (const Test& test : tests_of(entry))
    if (test.ask != Test::Ask::Truth && test.cell == draft.cell) restrict_to(draft, test, possible);
  // A kind that nobody reckoned with rules out nothing.
  possible[Conditions::unknown_row] = true;
  return possible;
}

// Rules out the bins none of whose values passes the test.
void Builder::restrict_to(const Draft& draft, const Test& test, std::vector<bool>& possible) const {
  using Ask = Test::Ask;
  const auto bins = possible.begin() + Conditions::first_bin_row;
  if (!test.negated) possible[Conditions::missing_row] = false;
  if (test.ask == Ask::Known) {
    if (test.negated) std::fill(bins, possible.end(), false);
    return;
  }
  if (test.ask == Ask::Finds) return;
  if (draft.kind == Kind::Text) {
    if (test.negated) return;
    std::vector<bool> met(draft.bins, false);
    for (const std::uint64_t hash : hashes_of(test)) met[draft.table[hash >> draft.shift]] = true;
    for (std::size_t i = 0; i < draft.bins; ++i)
      if (!met[i]) bins[static_cast<std::ptrdiff_t>(i)] = false;
    return;
  }
  if (test.ask == Ask::Range) {
    const std::size_t from = bins_below(draft.cuts, test.first());
    const std::size_t to = bins_below(draft.cuts, test.last());
    for (std::size_t i = 0; i < draft.bins; ++i) {
      bool is_possible = from <= i && i <= to;
      if (test.negated) {
        const std::int64_t first = i == 0 ? lowest : draft.cuts[i - 1];
        const std::int64_t last = i == draft.cuts.size() ? highest : draft.cuts[i] - 1;
        is_possible = first < test.first() || last > test.last();
      }
      if (!is_possible) bins[static_cast<std::ptrdiff_t>(i)] = false;
    }
  } else if (test.ask == Ask::Short && !test.negated) {
    std::vector<bool> met(draft.bins, false);
    for (std::uint64_t k = test.head; k < test.head + test.low; ++k)
      met[bins_below(draft.cuts, static_cast<std::int64_t>(made_.tables_.keys[k].tail))] = true;
    for (std::size_t i = 0; i < draft.bins; ++i)
      if (!met[i]) bins[static_cast<std::ptrdiff_t>(i)] = false;
  }
}

void Builder::lay_out(Draft& draft) {
  Conditions::Dimension dimension;
  dimension.cell = draft.cell;
  dimension.head = head_of(draft.kind);
  dimension.shift = draft.shift;
  if (draft.kind == Kind::Text) {
    dimension.first = static_cast<std::uint32_t>(made_.tables_of_hashes_.size());
    made_.tables_of_hashes_.insert(made_.tables_of_hashes_.end(), draft.table.begin(),
                                   draft.table.end());
  } else {
    dimension.first = static_cast<std::uint32_t>(made_.cuts_.size());
    dimension.count = static_cast<std::uint32_t>(draft.cuts.size());
    made_.cuts_.insert(made_.cuts_.end(), draft.cuts.begin(), draft.cuts.end());
  }
  const std::size_t rows = Conditions::first_bin_row + draft.bins;
  dimension.row = new_row(true);
  for (std::size_t i = 1; i < rows; ++i) new_row(true);
  for (std::size_t e = 0; e < draft.entries.size(); ++e)
    for (std::size_t i = 0; i < rows; ++i)
      if (!draft.possible[e][i])
        set(dimension.row + static_cast<std::uint32_t>(i), draft.entries[e], false);
  if (draft.cell.space == Space::Computed) {
    dimension.concerns = new_row(false);
    for (const std::uint32_t entry : draft.entries) set(dimension.concerns, entry);
  }
  made_.dimensions_.push_back(dimension);
  draft = {};
}

std::uint32_t Builder::new_row(bool full) {
  const std::size_t number = made_.rows_.size() / made_.words_;
  made_.rows_.resize(made_.rows_.size() + made_.words_);
  if (full)
    std::copy_n(made_.rows_.begin(), made_.words_,
                made_.rows_.end() - static_cast<std::ptrdiff_t>(made_.words_));
  return static_cast<std::uint32_t>(number);
}

void Builder::set(std::uint32_t row, std::uint32_t entry, bool bit) {
  std::uint64_t& word = made_.rows_[row * made_.words_ + entry / 64];
  const std::uint64_t mask = std::uint64_t{1} << entry % 64;
  word = bit ? word | mask : word & ~mask;
}

// --- Searches -----------------------------------------------------------------------------------

// One automaton for all texts that are looked for in one value. A conjunction waits for the texts
// of its first search there: unless one of them is found it is ruled out.
void Builder::build_searches() {
  std::map<Cell, std::vector<std::pair<std::uint32_t, const Test*>>> by_cell;
  for (std::uint32_t i = 0; i < made_.entries_.size(); ++i)
    for (const Test& test : tests_of(i)) {
      if (test.ask != Test::Ask::Finds || test.negated) continue;
      auto& waiting = by_cell[test.cell];
      if (waiting.empty() || waiting.back().first != i) waiting.push_back({i, &test});
    }
  for (const auto& [cell, waiting] : by_cell) {
    if (waiting.size() < searching_at_least) continue;
    // All texts that some test of this value looks for, negated or not.
    std::map<std::string_view, std::uint32_t> numbers;
    Conditions::Search search;
    search.cell = cell;
    std::vector<std::string_view> texts;
    const auto number = [&](const Test& test) {
      if (test.ask != Test::Ask::Finds || test.cell != cell) return;
      for (auto p = static_cast<std::uint32_t>(test.head); p < test.head + test.low; ++p) {
        const std::string_view text = made_.tables_.patterns[p].as_text();
        const auto [place, is_new] =
            numbers.emplace(text, static_cast<std::uint32_t>(texts.size()));
        if (is_new) {
          texts.push_back(text);
          search.patterns.push_back(p);
        }
        made_.same_pattern_[p] = search.patterns[place->second];
      }
    };
    for (const Test& test : made_.tests_) number(test);
    for (const Test& test : made_.tables_.tests) number(test);

    search.row = new_row(true);
    search.concerns = new_row(false);
    std::vector<std::vector<std::uint32_t>> by_text(texts.size());
    for (const auto& [entry, test] : waiting) {
      set(search.row, entry, false);
      set(search.concerns, entry);
      for (std::uint64_t p = test->head; p < test->head + test->low; ++p) {
        auto& list = by_text[numbers.at(made_.tables_.patterns[p].as_text())];
        if (list.empty() || list.back() != entry) list.push_back(entry);
      }
    }
    for (const auto& list : by_text) {
      search.first_waiting.push_back(static_cast<std::uint32_t>(search.waiting.size()));
      search.waiting.insert(search.waiting.end(), list.begin(), list.end());
    }
    search.first_waiting.push_back(static_cast<std::uint32_t>(search.waiting.size()));
    search.automaton = Automaton(texts);
    made_.searches_.push_back(std::move(search));
  }
}

// --- Few of many --------------------------------------------------------------------------------

Conditions::Sieve Conditions::sieve(std::span<const Value> fields) const {
  Sieve sieve;
  sieve.conditions_ = this;
  // Few conjunctions have no rows: who asks for some of them asks each. The same where an event is
  // shorter than its type.
  if (!has_rows() || fields.size() < fields_) return sieve;
  for (std::size_t i = 0; i < at_hand_ && sieve.count_ < sieve.rows_.size(); ++i)
    if (dimensions_[i].cell.space == Space::Field)
      sieve.rows_[sieve.count_++] = row_for(dimensions_[i], fields[dimensions_[i].cell.place]);
  return sieve;
}

bool Conditions::Sieve::lets_through(std::uint32_t first, std::uint32_t end) const {
  const std::uint32_t from = conditions_->entries_of_[first], to = conditions_->entries_of_[end];
  if (from == to) return false;
  if (count_ == 0) return true;
  for (std::uint32_t word = from / 64; word <= (to - 1) / 64; ++word) {
    std::uint64_t bits = ~std::uint64_t{0};
    if (word == from / 64) bits &= ~std::uint64_t{0} << from % 64;
    if (word == (to - 1) / 64) bits &= ~std::uint64_t{0} >> (63 - (to - 1) % 64);
    for (std::size_t i = 0; i < count_ && bits != 0; ++i) bits &= rows_[i][word];
    if (bits != 0) return true;
  }
  return false;
}

// --- What an event needs ------------------------------------------------------------------------

bool Conditions::is_worth(const std::uint64_t* alive, std::uint32_t concerns) const {
  const std::uint64_t* const whom = row(concerns);
  int waiting = 0;
  for (std::size_t word = 0; word < words_; ++word) {
    const std::uint64_t bits = alive[word] & whom[word];
    if (bits != 0 && (waiting += std::popcount(bits)) >= worth_computing) return true;
  }
  return false;
}

std::size_t Conditions::bytes() const {
  const auto of = [](const auto& list) {
    return list.capacity() * sizeof(typename std::decay_t<decltype(list)>::value_type);
  };
  std::size_t bytes = sizeof *this + of(conditions_) + of(tests_) + of(entries_) + of(entries_of_) +
                      of(rows_) + of(dimensions_) + of(cuts_) + of(tables_of_hashes_) +
                      of(searches_) + of(same_pattern_) + of(tables_.computed) + of(tables_.keys) +
                      of(tables_.values) + of(tables_.patterns) + of(tables_.truths) +
                      of(tables_.tests);
  for (const Value& value : tables_.values) bytes += value.heap_bytes();
  for (const Value& value : tables_.patterns) bytes += value.heap_bytes();
  for (const Search& search : searches_)
    bytes += search.automaton.bytes() + of(search.patterns) + of(search.first_waiting) +
             of(search.waiting);
  return bytes;
}

void Scratch::prepare(const Conditions& conditions) {
  const auto at_least = [](auto& list, std::size_t size) {
    if (list.size() < size) list.resize(size);
  };
  at_least(computed, conditions.tables_.computed.size());
  at_least(computed_at, conditions.tables_.computed.size());
  at_least(truths, conditions.tables_.truths.size());
  at_least(found_at, conditions.tables_.patterns.size());
  at_least(searched_at, conditions.searches_.size());
  at_least(alive, conditions.words_);
  at_least(mask, conditions.words_);
  if (++epoch != 0) return;
  // After four thousand million events the stamps begin anew.
  epoch = 1;
  std::fill(computed_at.begin(), computed_at.end(), 0);
  std::fill(truths.begin(), truths.end(), Remembered{});
  std::fill(found_at.begin(), found_at.end(), 0);
  std::fill(searched_at.begin(), searched_at.end(), 0);
}

}  // namespace koi::match
