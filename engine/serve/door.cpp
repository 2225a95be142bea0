#include "serve/door.h"

#include <array>
#include <memory>
#include <utility>

#include "serve/refusals.h"

namespace koi::serve {

namespace {

constexpr std::size_t most_led = 100'000;

constexpr std::array<std::string_view, 5> came_names{"accepted", "duplicate", "too_late",
                                                     "unknown_type", "rejected"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Where the JSON value that begins at `at` ends, as far as brackets and quotes tell; the text's end
// where it does not.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  int depth = 0;
  bool in_quotes = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_quotes) {
      if (c == '\\') ++at;
      if (c == '"') in_quotes = false;
      continue;
    }
    if (c == '"') in_quotes = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;  // of the array around it
      if (--depth == 0) return at + 1;
    }
    if (c == ',' && depth == 0) return at;
  }
  return text.size();
}

std::vector<std::string_view> lines_of(std::string_view body) {
  std::vector<std::string_view> lines;
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = trimmed(body.substr(0, end));
    if (!line.empty()) lines.push_back(line);
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  return lines;
}

Came came_of(core::Standing standing) {
  switch (standing) {
    case core::Standing::Applied:
    case core::Standing::Late: return Came::Accepted;
    case core::Standing::TooLate: return Came::TooLate;
    case core::Standing::Duplicate: return Came::Duplicate;
  }
  return Came::Accepted;
}

// What a request carries, and what becomes of it.
struct Request {
  std::vector<LineResult> results;
  std::vector<std::size_t> numbers;  // of the inputs among the events
  std::vector<Event> refusals;       // that must have come before it is answered
};

void count(Door::Figures& figures, const std::vector<LineResult>& results) {
  std::array<std::uint64_t, came_names.size()> came{};
  for (const LineResult& result : results) ++came[static_cast<std::size_t>(result.came)];
  std::atomic<std::uint64_t>* const into[] = {&figures.accepted, &figures.duplicate,
                                              &figures.too_late, &figures.unknown_type,
                                              &figures.rejected};
  for (std::size_t i = 0; i < came.size(); ++i)
    if (came[i] > 0) *into[i] += came[i];
}

}  // namespace

std::string_view name_of(Came came) { return came_names[static_cast<std::size_t>(came)]; }

std::vector<std::string_view> events_of(std::string_view body, bool is_lines) {
  const std::string_view text = trimmed(body);
  if (text.empty()) return {};
  if (is_lines) return lines_of(text);
  if (text.front() != '[') {
    // One object, over as many lines as it likes; or a line each, whatever the header said.
    if (end_of_value(text, 0) >= text.size()) {
      const auto lines = lines_of(text);
      const bool is_each_whole = lines.size() > 1 && lines.front().back() == '}' &&
                                 end_of_value(lines.front(), 0) == lines.front().size();
      if (!is_each_whole) return {text};
    }
    return lines_of(text);
  }
  std::vector<std::string_view> events;
  std::size_t at = 1;
  const auto skip_spaces = [&] {
    while (at < text.size() && is_space(text[at])) ++at;
  };
  for (skip_spaces(); at < text.size() && text[at] != ']'; skip_spaces()) {
    std::size_t end = end_of_value(text, at);
    if (end == at && text[at] != ',') end = text.size();  // nothing more can be made of it
    events.push_back(trimmed(text.substr(at, end - at)));
    at = end;
    skip_spaces();
    if (at < text.size() && text[at] == ',') ++at;
  }
  const std::string_view behind = trimmed(text.substr(std::min(at + 1, text.size())));
  if (!behind.empty()) events.push_back(behind);
  return events;
}

Door::Door(const plan::Plan& plan, StoredLinks& links, durable::Writers& writers, Places& places,
           Deliveries& deliveries)
    : plan_(plan),
      links_(links),
      writers_(writers),
      places_(places),
      deliveries_(deliveries),
      moves_(writers.groups().count > 1 && !plan.schema.identifiers.empty()),
      decoder_(plan),
      reader_(plan.schema),
      directory_(plan.schema, links),
      figures_(std::make_shared<Figures>()) {}

// What comes for whoever was merged a while ago is led by the writers, at the price of a letter.
void Door::learn_merged() {
  for (const auto& [gone, stays] : deliveries_.take_merged()) {
    if (led_.size() >= most_led) {
      directory_.forget(led_.front());
      led_.pop_front();
    }
    directory_.merged(gone, stays);
    led_.push_back(gone);
  }
}

void Door::take(std::string_view body, bool is_lines, const Answer& answer) {
  const auto events = events_of(body, is_lines);
  if (events.size() > most_events)
    return answer(Error{"too_many", "one request carries at most " + std::to_string(most_events) +
                                        " events, this one has " + std::to_string(events.size()) +
                                        "; send them in several"});
  if (moves_) learn_merged();
  const auto request = std::make_shared<Request>();
  auto& [results, numbers, refusals] = *request;
  results.resize(events.size());
  std::vector<durable::Given> inputs;
  inputs.reserve(events.size());
  numbers.reserve(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    LineResult& result = results[i];
    switch (decoder_.decode(events[i], incoming_)) {
      case runtime::Decoded::Event:
        if (incoming_.to_everyone) {
          if (!announcements_) {
            result = {Came::Rejected, "events to everyone are not taken here"};
            break;
          }
          const auto came = announcements_->take(incoming_.event, events[i]);
          if (!came) return answer(came.error());
          result.came = came_of(*came);
          break;
        }
        directory_.resolve(incoming_);
        if (moves_ && is_refusal(incoming_.event)) refusals.push_back(incoming_.event);
        inputs.emplace_back(std::move(incoming_.event));
        incoming_.event = Event();
        numbers.push_back(i);
        break;
      case runtime::Decoded::UnknownType:
        result = {Came::UnknownType,
                  "the rules declare no event of this type; declare it, or leave it out"};
        break;
      case runtime::Decoded::Rejected: result = {Came::Rejected, decoder_.reason()}; break;
    }
  }
  figures_->conflicts = directory_.conflicts();
  // Nothing is journalled under a customer whom a crash could forget again.
  if (auto linked = links_.commit(); !linked) return answer(std::move(linked).error());
  const auto tell = [request, figures = figures_, answer](const Result<bool>& all_came) {
    if (!all_came) {
      if (all_came.error().code == "busy") ++figures->busy;
      return answer(all_came.error());
    }
    count(*figures, request->results);
    answer(std::move(request->results));
  };
  const auto done = [&places = places_, request, answer,
                     tell](Result<std::vector<durable::Answer>> answers) {
    if (!answers) return answer(std::move(answers).error());
    for (std::size_t i = 0; i < request->numbers.size(); ++i)
      request->results[request->numbers[i]].came = came_of((*answers)[i].standing);
    if (request->refusals.empty()) return tell(true);
    places.wait_for(std::move(request->refusals), tell);
  };
  places_.find(std::move(inputs), [&writers = writers_, figures = figures_, done,
                                   answer](Result<std::vector<durable::Given>> found) {
    auto taken = found ? writers.submit(*std::move(found), done) : Result<void>(found.error());
    if (taken) return;
    if (taken.error().code == "busy") ++figures->busy;
    answer(std::move(taken).error());
  });
}

Result<std::string> Door::customer_of(std::string_view subject) {
  const std::size_t colon = subject.find(':');
  if (colon == std::string_view::npos) return std::string(subject);
  const std::string_view kind = subject.substr(0, colon);
  for (const Attribute& each : plan_.schema.attributes) {
    if (each.identifier.is_none()) continue;
    const std::string& name = plan_.schema.identifiers[each.identifier.index()];
    if (kind != name && kind != each.symbol.alias) continue;
    const auto kept = reader_.text_of(each.type.text, subject.substr(colon + 1));
    if (!kept) break;
    std::string key = name + ":" + std::string(*kept);
    std::string customer(links_.find(key));
    KOI_TRY(links_.commit());
    return customer.empty() ? key : customer;
  }
  return std::string(subject);
}

}  // namespace koi::serve
