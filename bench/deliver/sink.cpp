#include "sink.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace koi::bench {

namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::_Exit(2);
}

// How many bytes the request at the front has; 0 where it is not whole.
std::size_t size_of_request(std::string_view heard) {
  const std::size_t head = heard.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  const std::size_t at = heard.find("Content-Length: ");
  const std::size_t body =
      at < head ? std::strtoull(heard.data() + at + 16, nullptr, 10) : std::size_t{0};
  return heard.size() >= head + 4 + body ? head + 4 + body : 0;
}

[[noreturn]] void serve(int door) {
  static constexpr std::string_view answer = "HTTP/1.1 204 No Content\r\n\r\n";
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{.events = EPOLLIN, .data = {.fd = door}};
  ::epoll_ctl(poll, EPOLL_CTL_ADD, door, &wanted);
  std::map<int, std::string> heard;
  std::array<epoll_event, 256> events{};
  std::array<char, 64 << 10> bytes{};
  while (true) {
    const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == door) {
        const int made = ::accept4(door, nullptr, nullptr, SOCK_CLOEXEC);
        if (made < 0) continue;
        const int on = 1;
        ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event of_it{.events = EPOLLIN, .data = {.fd = made}};
        ::epoll_ctl(poll, EPOLL_CTL_ADD, made, &of_it);
        continue;
      }
      const ssize_t got = ::read(fd, bytes.data(), bytes.size());
      std::string& request = heard[fd];
      if (got <= 0) {
        ::close(fd);
        heard.erase(fd);
        continue;
      }
      request.append(bytes.data(), static_cast<std::size_t>(got));
      while (const std::size_t size = size_of_request(request)) {
        request.erase(0, size);
        if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
  }
}

}  // namespace

Sink::Sink() {
  const int door = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(door, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(door, 4096) != 0 ||
      ::getsockname(door, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    give_up("listen");
  port_ = ntohs(address.sin_port);
  process_ = ::fork();
  if (process_ < 0) give_up("fork");
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(door);
  }
  ::close(door);
}

Sink::~Sink() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

}  // namespace koi::bench
