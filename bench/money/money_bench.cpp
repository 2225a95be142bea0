// What competing costs: shares of one packet that everybody grabs, and codes of one coupon that
// are redeemed, asked of `koi serve` one request each, against events that nothing listens to.
//
//   koi-bench-money FOLDER [REQUESTS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "../serve/client.h"
#include "../serve/served.h"
#include "base/time.h"

namespace koi {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t connections = 64, shares = 10'000, rounds = 3;

std::string event(const std::string& type, std::size_t number, const std::string& subject) {
  const Timestamp now{std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count()};
  return R"({"id":")" + type + " " + std::to_string(number) + R"(","type":")" + type +
         R"(","time":")" + to_string(now, utc()) + R"(","subject":")" + subject + "\"}\n";
}

// The codes that were sent, once there are so many.
std::vector<std::string> codes_in(const fs::path& file, std::size_t wanted) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  while (std::chrono::steady_clock::now() < end) {
    std::vector<std::string> codes;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line) && !in.eof();) {
      constexpr std::string_view body = R"("body":")";
      const std::size_t from = line.find(body);
      if (from == std::string::npos) continue;
      const std::size_t begin = from + body.size();
      codes.push_back(line.substr(begin, line.find('"', begin) - begin));
    }
    if (codes.size() >= wanted) return codes;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::fprintf(stderr, "the codes were not sent\n");
  std::exit(2);
}

double rate(std::uint16_t port, const std::vector<std::string>& requests) {
  const bench::Asked asked = bench::ask(port, requests, connections);
  if (asked.refused > 0) std::fprintf(stderr, "%zu were refused\n", std::size_t{asked.refused});
  return static_cast<double>(requests.size()) / asked.seconds;
}

std::vector<std::string> made(std::size_t count,
                              const std::function<std::string(std::size_t)>& request) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(request(i));
  return all;
}

struct Rates {
  double events = 0, claims = 0, redemptions = 0;
};

// The best of the rounds: what stood in the way was others.
Rates measured(const fs::path& folder, std::size_t requests, int groups) {
  Rates best;
  for (std::size_t round = 0; round < rounds; ++round) {
    const fs::path sent = folder / "sent.ndjson", environment = folder / "environment.json";
    fs::remove(sent);
    std::ofstream(environment) << R"({"channels":{"app":{"connector":"file","path":")"
                               << fs::absolute(sent).string() << "\"}}}";
    const bench::Served served(KOI_PROGRAM, KOI_BENCH_RULES, folder / "served",
                               {"--groups", std::to_string(groups), "--env", environment.string()});
    const auto who = [](std::size_t i) { return "c" + std::to_string(i % 100'000); };
    best.events = std::max(best.events, rate(served.port, made(requests, [&](std::size_t i) {
                                               return bench::request(event("look", i, who(i)));
                                             })));
    bench::ask(served.port, {bench::request(event("share", 0, "giver"))}, 1);
    const std::string packet = codes_in(sent, 1).front();
    best.claims = std::max(
        best.claims, rate(served.port, made(std::min(requests, shares), [&](std::size_t i) {
                            return bench::request("/v1/packets/" + packet + "/claim",
                                                  R"({"subject":")" + who(i) + "\"}", "claim");
                          })));
    std::string batch;
    std::vector<std::string> batches;
    for (std::size_t i = 0; i < requests; ++i) {
      batch += event("grab", i, who(i));
      if (i % 100 != 99 && i + 1 != requests) continue;
      batches.push_back(bench::request(batch));
      batch.clear();
    }
    bench::ask(served.port, batches, 8);
    auto codes = codes_in(sent, requests + 1);
    std::erase(codes, packet);
    best.redemptions =
        std::max(best.redemptions, rate(served.port, made(requests, [&](std::size_t i) {
                                          return bench::request(
                                              "/v1/coupons/" + codes[i] + "/redeem",
                                              R"({"order":"o","amount":"80.00"})", "redeem");
                                        })));
  }
  return best;
}

int measure(const fs::path& folder, std::size_t requests) {
  fs::create_directories(folder);
  const Rates one = measured(folder, requests, 1), two = measured(folder, requests, 2);
  std::printf(
      "| one request each, %zu connections, durable answers | one group, a second | "
      "of its events | two groups, a second | of their events |\n",
      connections);
  std::printf("| --- | --- | --- | --- | --- |\n");
  std::printf("| events that nothing listens to | %.0f | | %.0f | |\n", one.events, two.events);
  const auto row = [&](const char* what, double Rates::*of) {
    std::printf("| %s | %.0f | %.2f | %.0f | %.2f |\n", what, one.*of, one.*of / one.events,
                two.*of, two.*of / two.events);
  };
  row("shares of one packet", &Rates::claims);
  row("codes of one coupon redeemed", &Rates::redemptions);
  return 0;
}

}  // namespace
}  // namespace koi

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "koi-bench-money FOLDER [REQUESTS]\n");
    return 2;
  }
  return koi::measure(arguments[1], count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 50'000);
}
