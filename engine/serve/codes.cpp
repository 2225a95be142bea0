#include "serve/codes.h"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "base/json.h"
#include "channel/codes.h"
#include "serve/refusal.h"

namespace koi::serve {

namespace {

constexpr auto made_within = std::chrono::seconds(30);
constexpr int most_days = 3650;

// Error "usage".
Result<channel::CodeWanted> wanted_by(const net::Headers& query) {
  const std::string* const scene = net::find(query, "scene");
  if (!scene || scene->empty())
    return Error{"usage", "say `channel` and `scene`, what `scan` then says that it was"};
  channel::CodeWanted wanted{*scene, {}};
  const std::string* const lasts = net::find(query, "days");
  if (!lasts) return wanted;
  int number = 0;
  const char* const end = lasts->data() + lasts->size();
  const auto read = std::from_chars(lasts->data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number < 1 || number > most_days)
    return Error{"usage", "`days` is a whole number from 1 to 3650"};
  wanted.lasts = days(number);
  return wanted;
}

asio::awaitable<void> make(channel::MakesCodes& makes, channel::CodeWanted wanted,
                           std::shared_ptr<std::optional<Result<std::string>>> made) {
  auto picture = co_await makes.code(std::move(wanted));
  made->emplace(std::move(picture));
}

}  // namespace

void make_code(const asio::any_io_executor& executor, const std::vector<runtime::Lane>& lanes,
               const net::Asked& asked, net::Reply reply) {
  const net::Headers query = net::query_of(asked.query);
  auto wanted = wanted_by(query);
  if (!wanted) return reply.send(refused(400, wanted.error().code, wanted.error().what));
  const std::string* const name = net::find(query, "channel");
  const auto lane = std::find_if(lanes.begin(), lanes.end(), [&](const runtime::Lane& each) {
    return name && each.channel == *name;
  });
  channel::MakesCodes* const makes = lane == lanes.end() ? nullptr : lane->connector->codes();
  if (!makes)
    return reply.send(refused(404, "channel", "no channel of this name makes codes to scan"));

  auto cancel = std::make_shared<asio::cancellation_signal>();
  auto timer = std::make_shared<asio::steady_timer>(executor, made_within);
  timer->async_wait([cancel](const std::error_code& fault) {
    if (!fault) cancel->emit(asio::cancellation_type::terminal);
  });
  auto place = std::make_shared<net::Reply>(std::move(reply));
  auto made = std::make_shared<std::optional<Result<std::string>>>();
  // The connector lives at least as long as what it is doing.
  const auto over = [cancel, timer, place, made,
                     connector = lane->connector](const std::exception_ptr&) {
    timer->cancel();
    if (!*made) return place->send(refused(502, "code", "its provider did not answer"));
    const Result<std::string>& picture = **made;
    if (!picture) return place->send(refused(502, picture.error().code, picture.error().what));
    net::Answer answer;
    answer.body = R"({"picture":)";
    append_json_string(answer.body, *picture);
    answer.body += "}\n";
    place->send(std::move(answer));
  };
  asio::co_spawn(executor, make(*makes, *std::move(wanted), made),
                 asio::bind_cancellation_slot(cancel->slot(), over));
}

}  // namespace koi::serve
