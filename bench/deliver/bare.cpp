#include "bare.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace koi::bench {

namespace {

std::size_t swallow(char*, std::size_t size, std::size_t count, void*) { return size * count; }

class Loop {
 public:
  Loop() : multi_(curl_multi_init()), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Loop::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Loop::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  }
  ~Loop() {
    curl_multi_cleanup(multi_);
    ::close(poll_);
  }
  Loop(const Loop&) = delete;

  void keep(std::size_t connections) {
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
  }
  void add(CURL* easy) { curl_multi_add_handle(multi_, easy); }

  // One turn; `done` gets each handle that has ended, removed from the loop.
  template <class Done>
  void turn(Done done) {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()),
                                   timeout_ < 0 ? 1000 : static_cast<int>(timeout_));
    int running = 0;
    if (count == 0) {
      timeout_ = -1;
      curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const int what = ((event.events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                       ((event.events & EPOLLOUT) ? CURL_CSELECT_OUT : 0);
      curl_multi_socket_action(multi_, event.data.fd, what, &running);
    }
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      CURL* const easy = message->easy_handle;
      const CURLcode result = message->data.result;
      curl_multi_remove_handle(multi_, easy);
      done(easy, result);
    }
  }

 private:
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
    Loop& loop = *static_cast<Loop*>(self);
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(loop.poll_, EPOLL_CTL_DEL, fd, nullptr);
      return 0;
    }
    epoll_event wanted{};
    wanted.events = (what != CURL_POLL_OUT ? EPOLLIN : 0u) | (what != CURL_POLL_IN ? EPOLLOUT : 0u);
    wanted.data.fd = fd;
    ::epoll_ctl(loop.poll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &wanted);
    curl_multi_assign(loop.multi_, fd, self);
    return 0;
  }
  static int on_timer(CURLM*, long timeout_ms, void* self) {
    static_cast<Loop*>(self)->timeout_ = timeout_ms;
    return 0;
  }
  CURLM* multi_;
  int poll_;
  long timeout_ = -1;
};

}  // namespace

double bare_seconds(std::uint16_t port, const std::vector<std::string>& headers,
                    const std::string& body, std::size_t count, std::size_t connections) {
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/hook";
  curl_slist* list = nullptr;
  for (const std::string& header : headers) list = curl_slist_append(list, header.c_str());
  Loop loop;
  loop.keep(connections);
  std::vector<CURL*> handles;
  std::size_t begun = 0, ended = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (; begun < std::min(connections, count); ++begun) {
    CURL* const easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    handles.push_back(easy);
    loop.add(easy);
  }
  while (ended < count)
    loop.turn([&](CURL* easy, CURLcode result) {
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      if (result != CURLE_OK || status != 204) {
        std::fprintf(stderr, "the bare loop: %s, status %ld\n", curl_easy_strerror(result), status);
        std::exit(2);
      }
      ++ended;
      if (begun < count) {
        ++begun;
        loop.add(easy);
      }
    });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  for (CURL* const easy : handles) curl_easy_cleanup(easy);
  curl_slist_free_all(list);
  return took.count();
}

}  // namespace koi::bench
