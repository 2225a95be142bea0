// Time zones, read from the system's compiled zone files (TZif, RFC 8536) into one immutable table
// each. The rule in a file's footer, which says how the clocks change after the last change listed,
// is followed up to the year 2200: recurring campaigns and birthdays reach beyond what files list.
#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>
#include <vector>

#include "base/assert.h"
#include "base/time.h"

namespace koi {

namespace {

constexpr int last_year = 2200;
constexpr std::size_t largest_file = 1 << 18;  // the largest there is has some 4 KiB

// ---- The table
// -----------------------------------------------------------------------------------

// From `begin` to the next change, clocks are `offset` ahead of UTC.
struct Segment {
  Timestamp begin;
  Duration offset;
};

class TableZone final : public Zone {
 public:
  // INVARIANT: the first segment begins at `ever`; begins ascend strictly.
  TableZone(std::string name, std::vector<Segment> segments)
      : name_(std::move(name)), segments_(std::move(segments)) {
    KOI_ASSERT(!segments_.empty() && segments_.front().begin == Timestamp::ever());
    KOI_ASSERT(segments_.size() <= std::numeric_limits<std::uint16_t>::max());
    for (const Segment& segment : segments_)
      largest_offset_ = std::max(largest_offset_, segment.offset);
    for (std::size_t i = 0; i < cells_.size(); ++i)
      cells_[i] =
          static_cast<std::uint16_t>(search(Timestamp{static_cast<std::int64_t>(i) << cell_bits}));
  }

  const std::string& name() const override { return name_; }

  Duration offset(Timestamp at) const override { return segments_[segment_at(at)].offset; }

  Timestamp instant(LocalTime local) const override {
    const std::int64_t wall = wall_clock(local);
    if (wall == INT64_MAX) return Timestamp::never();
    if (wall == INT64_MIN) return Timestamp::ever();
    // The first instant that could show it; each segment from there on either shows it, ended
    // before (go on), or begins after it would have been shown (skipped).
    std::size_t i = segment_at(Timestamp{wall} - largest_offset_);
    for (;; ++i) {
      const Timestamp at = Timestamp{wall} - segments_[i].offset;
      if (at < segments_[i].begin) return segments_[i].begin;
      if (i + 1 == segments_.size() || at < segments_[i + 1].begin) return at;
    }
  }

 private:
  // The years from 1970 on in cells of 203 days; each knows the segment that holds its begin, so a
  // look-up is one step and at most a few more. Nothing is written after construction.
  static constexpr int cell_bits = 44;
  static constexpr std::size_t cell_count = (7'289'740'800'000'000 >> cell_bits) + 1;  // to 2201

  static std::int64_t wall_clock(LocalTime local) {
    std::int64_t us = 0;
    if (__builtin_mul_overflow(std::int64_t{local.date.days}, days(1).us, &us))
      return local.date.days < 0 ? INT64_MIN : INT64_MAX;
    return (Timestamp{us} + Duration{local.time.us}).us;
  }

  std::size_t search(Timestamp at) const {
    const auto after =
        std::upper_bound(segments_.begin() + 1, segments_.end(), at,
                         [](Timestamp wanted, const Segment& s) { return wanted < s.begin; });
    return static_cast<std::size_t>(after - segments_.begin()) - 1;
  }

  std::size_t segment_at(Timestamp at) const {
    if (segments_.size() == 1) return 0;
    const auto cell = static_cast<std::uint64_t>(at.us) >> cell_bits;  // huge before 1970
    if (cell >= cell_count) return search(at);
    std::size_t i = cells_[cell];
    while (i + 1 < segments_.size() && segments_[i + 1].begin <= at) ++i;
    return i;
  }

  std::string name_;
  std::vector<Segment> segments_;
  Duration largest_offset_{INT64_MIN};
  std::array<std::uint16_t, cell_count> cells_{};
};

// ---- The footer: a POSIX TZ rule
// -----------------------------------------------------------------

struct ChangeRule {
  enum class Kind { MonthWeekDay, JulianWithoutLeapDay, DayOfYear } kind = Kind::MonthWeekDay;
  int month = 0;
  int week = 0;               // 5 is the last
  int day = 0;                // of the week from Sunday, or of the year
  std::int64_t time = 7'200;  // seconds after midnight of the clock before the change

  // Seconds since 1970 on that clock, in that year.
  std::int64_t in_year(int year) const {
    const std::int64_t new_year = date_of({year, 1, 1})->days;
    std::int64_t date = 0;
    switch (kind) {
      case Kind::MonthWeekDay: {
        const Date first = *date_of({year, month, 1});
        const int first_day = (weekday(first) + 1) % 7;  // from Sunday
        int of_month = (day - first_day + 7) % 7 + 7 * (week - 1);
        while (of_month >= days_in_month(year, month)) of_month -= 7;
        date = first.days + of_month;
        break;
      }
      case Kind::JulianWithoutLeapDay:
        date = new_year + day - 1 + (day >= 60 && days_in_month(year, 2) == 29 ? 1 : 0);
        break;
      case Kind::DayOfYear: date = new_year + day; break;
    }
    return date * 86'400 + time;
  }
};

struct FooterRule {
  std::int64_t standard = 0;  // seconds ahead of UTC
  bool has_summer = false;
  std::int64_t summer = 0;
  ChangeRule to_summer;
  ChangeRule to_standard;
};

// Reads std offset [dst [offset] , start [/time] , end [/time]], RFC 8536 section 3.3.1.
class FooterReader {
 public:
  explicit FooterReader(std::string_view text) : text_(text) {}

  std::optional<FooterRule> read() {
    FooterRule rule;
    if (!name() || !clock_time(rule.standard)) return std::nullopt;
    rule.standard = -rule.standard;  // written as what is behind UTC
    if (text_.empty()) return rule;
    rule.has_summer = true;
    rule.summer = rule.standard + 3600;
    if (!name()) return std::nullopt;
    if (!text_.empty() && text_.front() != ',') {
      if (!clock_time(rule.summer)) return std::nullopt;
      rule.summer = -rule.summer;
    }
    if (!change(rule.to_summer) || !change(rule.to_standard) || !text_.empty()) return std::nullopt;
    return rule;
  }

 private:
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool name() {
    const bool quoted = take('<');
    std::size_t length = 0;
    for (; length < text_.size(); ++length) {
      const char c = text_[length];
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (!letter && !(quoted && (c == '+' || c == '-' || (c >= '0' && c <= '9')))) break;
    }
    text_.remove_prefix(length);
    return length >= 3 && (!quoted || take('>'));
  }

  template <class Number>
  bool number(Number& value, Number least, Number most) {
    std::size_t length = 0;
    value = 0;
    for (; length < text_.size() && length < 4 && text_[length] >= '0' && text_[length] <= '9';
         ++length)
      value = value * 10 + (text_[length] - '0');
    text_.remove_prefix(length);
    return length > 0 && value >= least && value <= most;
  }

  // [+-]hh[:mm[:ss]], up to a week.
  bool clock_time(std::int64_t& seconds_value) {
    const bool negative = take('-');
    if (!negative) take('+');
    std::int64_t hour = 0;
    std::int64_t minute = 0;
    std::int64_t second = 0;
    if (!number<std::int64_t>(hour, 0, 167)) return false;
    if (take(':')) {
      if (!number<std::int64_t>(minute, 0, 59)) return false;
      if (take(':') && !number<std::int64_t>(second, 0, 59)) return false;
    }
    seconds_value = (hour * 60 + minute) * 60 + second;
    if (negative) seconds_value = -seconds_value;
    return true;
  }

  bool change(ChangeRule& rule) {
    if (!take(',')) return false;
    if (take('M')) {
      rule.kind = ChangeRule::Kind::MonthWeekDay;
      if (!number(rule.month, 1, 12) || !take('.') || !number(rule.week, 1, 5) || !take('.') ||
          !number(rule.day, 0, 6))
        return false;
    } else if (take('J')) {
      rule.kind = ChangeRule::Kind::JulianWithoutLeapDay;
      if (!number(rule.day, 1, 365)) return false;
    } else {
      rule.kind = ChangeRule::Kind::DayOfYear;
      if (!number(rule.day, 0, 365)) return false;
    }
    return !take('/') || clock_time(rule.time);
  }

  std::string_view text_;
};

// ---- The file
// ------------------------------------------------------------------------------------

// Bytes of a file, big end first. Reading past the end gives zeros and sets `short_of`.
struct Bytes {
  std::string_view rest;
  bool short_of = false;

  std::string_view take(std::size_t count) {
    if (count > rest.size()) {
      short_of = true;
      count = rest.size();
    }
    const std::string_view taken = rest.substr(0, count);
    rest.remove_prefix(count);
    return taken;
  }

  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char byte : take(size)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
};

struct Header {
  int version = 1;
  std::size_t is_utc_count = 0;
  std::size_t is_standard_count = 0;
  std::size_t leap_count = 0;
  std::size_t time_count = 0;
  std::size_t type_count = 0;
  std::size_t letter_count = 0;

  std::size_t body_size(std::size_t time_size) const {
    return time_count * (time_size + 1) + type_count * 6 + letter_count +
           leap_count * (time_size + 4) + is_standard_count + is_utc_count;
  }
};

std::optional<Header> read_header(Bytes& bytes) {
  if (bytes.take(4) != "TZif") return std::nullopt;
  const auto version = static_cast<char>(bytes.number(1));
  bytes.take(15);
  Header header;
  header.version = version == '\0' ? 1 : version - '0';
  for (std::size_t* count : {&header.is_utc_count, &header.is_standard_count, &header.leap_count,
                             &header.time_count, &header.type_count, &header.letter_count})
    *count = bytes.number(4);
  // Zones that count leap seconds ("right/…") are not on the time scale of everybody's clocks.
  if (bytes.short_of || header.type_count == 0 || header.leap_count != 0) return std::nullopt;
  return header;
}

Timestamp from_seconds(std::int64_t count) {
  std::int64_t us = 0;
  if (__builtin_mul_overflow(count, seconds(1).us, &us))
    return count < 0 ? Timestamp::ever() : Timestamp::never();
  return {us};
}

// Appends what comes next; a change to the same offset is none.
void append_segment(std::vector<Segment>& segments, Segment next) {
  if (next.begin == Timestamp::ever()) segments.back().offset = next.offset;
  if (next.begin > segments.back().begin && next.offset != segments.back().offset)
    segments.push_back(next);
}

void append_rule(std::vector<Segment>& segments, Timestamp listed_until, const FooterRule& rule) {
  std::vector<Segment> changes;
  if (!rule.has_summer) {
    changes.push_back({listed_until, seconds(rule.standard)});
  } else {
    const int first_year =
        listed_until == Timestamp::ever()
            ? 1970
            : civil({static_cast<std::int32_t>(listed_until.us / days(1).us)}).year - 1;
    for (int year = first_year; year <= last_year; ++year) {
      changes.push_back(
          {from_seconds(rule.to_summer.in_year(year) - rule.standard), seconds(rule.summer)});
      changes.push_back(
          {from_seconds(rule.to_standard.in_year(year) - rule.summer), seconds(rule.standard)});
    }
    // Where summer ends as the next begins ("always summer", RFC 8536 section 3.3.1), it goes on.
    std::stable_sort(changes.begin(), changes.end(), [&](const Segment& a, const Segment& b) {
      if (a.begin != b.begin) return a.begin < b.begin;
      return a.offset == seconds(rule.standard) && b.offset == seconds(rule.summer);
    });
  }
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].begin < listed_until) continue;
    if (i + 1 < changes.size() && changes[i + 1].begin == changes[i].begin) continue;
    append_segment(segments, changes[i]);
  }
}

std::optional<std::vector<Segment>> read_zone_file(std::string_view content) {
  Bytes bytes{content};
  auto header = read_header(bytes);
  if (!header) return std::nullopt;
  std::size_t time_size = 4;
  if (header->version >= 2) {
    bytes.take(header->body_size(time_size));
    header = read_header(bytes);
    if (!header) return std::nullopt;
    time_size = 8;
  }
  if (header->body_size(time_size) > bytes.rest.size()) return std::nullopt;

  Bytes times{bytes.take(header->time_count * time_size)};
  const std::string_view type_of_time = bytes.take(header->time_count);
  std::vector<Duration> offsets;
  for (std::size_t i = 0; i < header->type_count; ++i) {
    const auto offset = static_cast<std::int32_t>(static_cast<std::uint32_t>(bytes.number(4)));
    if (offset <= -26 * 3600 || offset >= 26 * 3600) return std::nullopt;
    offsets.push_back(seconds(offset));
    bytes.take(2);
  }
  bytes.take(header->letter_count + header->is_standard_count + header->is_utc_count);

  std::vector<Segment> segments{{Timestamp::ever(), offsets[0]}};
  Timestamp listed_until = Timestamp::ever();
  for (const char type : type_of_time) {
    const auto index = static_cast<unsigned char>(type);
    const std::uint64_t raw = times.number(time_size);
    const Timestamp begin =
        from_seconds(time_size == 4 ? static_cast<std::int32_t>(static_cast<std::uint32_t>(raw))
                                    : static_cast<std::int64_t>(raw));
    if (index >= offsets.size() || begin < listed_until) return std::nullopt;
    append_segment(segments, {begin, offsets[index]});
    listed_until = begin;
  }

  if (time_size == 8) {
    if (bytes.number(1) != '\n') return std::nullopt;
    const std::size_t end = bytes.rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    if (end > 0) {
      const auto rule = FooterReader(bytes.rest.substr(0, end)).read();
      if (!rule) return std::nullopt;
      append_rule(segments, listed_until, *rule);
    }
  }
  if (segments.size() > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  return segments;
}

// ---- The files
// -----------------------------------------------------------------------------------

// Where systems keep their zones.
constexpr std::array<const char*, 4> roots{"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                           "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(largest_file, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (file.gcount() <= 0 || !file.eof()) return std::nullopt;
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

// Words of [A-Za-z0-9_+-] joined by slashes: no name can leave the folder of zones. What a
// machine's owner has chosen ("localtime", "posixrules") would make a program mean different things
// on different machines.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name == "localtime" || name == "posixrules") return false;
  bool in_word = false;
  for (const char c : name) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '+' || c == '-';
    if (!word && !(c == '/' && in_word)) return false;
    in_word = word;
  }
  return in_word;
}

const Zone* load(const std::string& name) {
  for (const char* root : roots) {
    const auto content = read_file(std::string(root) + "/" + name);
    if (!content) continue;
    auto segments = read_zone_file(*content);
    return segments ? new TableZone(name, *std::move(segments)) : nullptr;
  }
  return nullptr;
}

// Never destroyed: zones live until the process ends, threads may outlive main.
struct Zones {
  std::mutex mutex;
  std::map<std::string, const Zone*, std::less<>> by_name;
};

}  // namespace

const Zone* find_zone(std::string_view name) {
  static Zones& zones = *new Zones;
  if (name == "UTC") return &utc();
  if (!is_zone_name(name)) return nullptr;
  const std::scoped_lock lock(zones.mutex);
  if (const auto known = zones.by_name.find(name); known != zones.by_name.end())
    return known->second;
  std::string owned(name);
  const Zone* zone = load(owned);
  // Names that are none are not kept: there is no end to them.
  if (zone != nullptr) zones.by_name.emplace(std::move(owned), zone);
  return zone;
}

const Zone& utc() {
  static const Zone& zone = *new TableZone("UTC", {{Timestamp::ever(), Duration{}}});
  return zone;
}

std::string zone_rules_version() {
  // The first line of the source form of the rules: "# version 2024a".
  static const std::string version = [] {
    for (const char* root : roots) {
      std::ifstream file(std::string(root) + "/tzdata.zi");
      std::string hash;
      std::string word;
      std::string value;
      if (file >> hash >> word >> value && hash == "#" && word == "version") return value;
    }
    return std::string("unknown");
  }();
  return version;
}

}  // namespace koi
