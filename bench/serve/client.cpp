#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace koi::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  int socket = -1;
  std::size_t request = 0;
  std::string answer;
  Clock::time_point asked;
};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(2);
}

int connect_to(std::uint16_t port) {
  const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give_up("connect");
  const int on = 1;
  ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return made;
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) give_up("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// The status, where the answer is whole; 0 before.
int status_of(const std::string& answer) {
  const std::size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return 0;
  const std::size_t length = answer.find("Content-Length: ");
  if (length == std::string::npos || length > head) give_up("an answer without its length");
  const std::size_t body = std::strtoull(answer.c_str() + length + 16, nullptr, 10);
  if (answer.size() < head + 4 + body) return 0;
  return std::atoi(answer.c_str() + 9);  // HTTP/1.1 200
}

}  // namespace

std::string request(const std::string& body) {
  return "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string request(const std::string& path, const std::string& body, const std::string& key) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: " +
         key + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Asked ask(std::uint16_t port, const std::vector<std::string>& requests, std::size_t connections) {
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<Connection> all(std::min(connections, requests.size()));
  std::size_t next = 0, answered = 0;
  Asked asked;
  const auto begin = Clock::now();
  const auto send_next = [&](Connection& connection, std::size_t which) {
    connection.request = which;
    connection.answer.clear();
    connection.asked = Clock::now();
    send_all(connection.socket, requests[which]);
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].socket = connect_to(port);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, all[i].socket, &event);
    send_next(all[i], next++);
  }
  std::vector<epoll_event> events(all.size());
  std::vector<char> bytes(1 << 16);
  while (answered < requests.size()) {
    const int ready = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10'000);
    if (ready <= 0) give_up("no answer");
    for (int i = 0; i < ready; ++i) {
      Connection& connection = all[events[static_cast<std::size_t>(i)].data.u64];
      const ssize_t got = ::recv(connection.socket, bytes.data(), bytes.size(), 0);
      if (got <= 0) give_up("the server hung up");
      connection.answer.append(bytes.data(), static_cast<std::size_t>(got));
      const int status = status_of(connection.answer);
      if (status == 0) continue;
      if (status != 200) {
        ++asked.refused;
        send_next(connection, connection.request);
        continue;
      }
      ++answered;
      asked.took.push_back(
          std::chrono::duration<double, std::milli>(Clock::now() - connection.asked).count());
      if (next < requests.size()) send_next(connection, next++);
    }
  }
  asked.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (const Connection& connection : all) ::close(connection.socket);
  ::close(poll);
  std::sort(asked.took.begin(), asked.took.end());
  return asked;
}

}  // namespace koi::bench
