// curl says which sockets it wants to hear of and when it wants to be woken; Asio tells it.
#include "net/client.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "net/curl.h"
#include "net/waiter.h"

namespace koi::net {

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { KOI_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

long milliseconds(Duration span) {
  return static_cast<long>(std::max<std::int64_t>(1, span.us / 1000));
}

namespace {

// The host of a URL, for sentences; the rest may be private.
std::string host_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  std::string authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const std::size_t at = authority.rfind('@');
  return at == std::string::npos ? authority : authority.substr(at + 1);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() &&
         (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n'))
    text.remove_suffix(1);
  return text;
}

struct Exchange {
  Request request;
  Response response;
  std::unique_ptr<Waiter<Response>> waiter;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  char error[CURL_ERROR_SIZE] = {};

  ~Exchange() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }
};

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* exchange_pointer) {
  auto& exchange = *static_cast<Exchange*>(exchange_pointer);
  const std::size_t all = size * count;
  const std::size_t room = exchange.request.max_body - exchange.response.body.size();
  exchange.response.body.append(bytes, std::min(all, room));
  exchange.response.cut = all > room;
  return exchange.response.cut ? 0 : all;  // 0: enough
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* exchange_pointer) {
  auto& headers = static_cast<Exchange*>(exchange_pointer)->response.headers;
  const std::string_view line(bytes, size * count);
  if (line.starts_with("HTTP/")) headers.clear();  // of an interim answer (1xx)
  if (const std::size_t colon = line.find(':'); colon != std::string_view::npos)
    headers.push_back({std::string(trimmed(line.substr(0, colon))),
                       std::string(trimmed(line.substr(colon + 1)))});
  return size * count;
}

}  // namespace

class Client::Loop : public std::enable_shared_from_this<Loop> {
 public:
  Loop(asio::any_io_executor executor, ClientSettings settings)
      : executor_(std::move(executor)), settings_(std::move(settings)), timer_(executor_) {
    start_curl();
    multi_ = curl_multi_init();
    KOI_ASSERT(multi_);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Loop::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Loop::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      static_cast<long>(settings_.max_connections));
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(settings_.max_connections));
  }

  ~Loop() { close(); }

  void close() {
    if (!multi_) return;
    while (!exchanges_.empty()) cancel(exchanges_.begin()->first);
    curl_multi_cleanup(multi_);
    multi_ = nullptr;
    for (CURL* const easy : idle_) curl_easy_cleanup(easy);
    idle_.clear();
    timer_.cancel();
    sockets_.clear();
  }

  void start(Request request, std::unique_ptr<Waiter<Response>> waiter, std::uint64_t id) {
    auto exchange = std::make_unique<Exchange>();
    exchange->request = std::move(request);
    exchange->waiter = std::move(waiter);
    if (idle_.empty()) {
      exchange->easy = curl_easy_init();
      KOI_ASSERT(exchange->easy);
    } else {
      exchange->easy = idle_.back();
      idle_.pop_back();
    }
    if (!set_up(*exchange, id)) {
      finish(std::move(exchange),
             Error{"unsent", "the request cannot be made: is its address well formed?"});
      return;
    }
    CURL* const easy = exchange->easy;
    exchanges_.emplace(id, std::move(exchange));
    KOI_ASSERT(curl_multi_add_handle(multi_, easy) == CURLM_OK);
  }

  void cancel(std::uint64_t id) {
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) return;
    std::unique_ptr<Exchange> exchange = std::move(found->second);
    exchanges_.erase(found);
    const std::string code = code_of(*exchange);
    curl_multi_remove_handle(multi_, exchange->easy);
    const std::string host = host_of(exchange->request.url);
    finish(std::move(exchange), Error{code, host + ": cancelled"});
  }

  std::uint64_t next_id() { return ++last_id_; }
  const ClientSettings& settings() const { return settings_; }

 private:
  static constexpr std::size_t most_idle = 1024;

  // A socket that curl wants to hear of. The descriptor is a copy of our own, so that it does not
  // matter in which order curl closes its socket and forgets it.
  struct Socket {
    explicit Socket(const asio::any_io_executor& executor, int copy) : descriptor(executor, copy) {}
    asio::posix::stream_descriptor descriptor;
    int wanted = 0;
    bool reading = false, writing = false;
  };

  bool set_up(Exchange& exchange, std::uint64_t id) {
    CURL* const easy = exchange.easy;
    const Request& request = exchange.request;
    bool fine = true;
    const auto set = [&](CURLoption option, auto value) {
      fine = curl_easy_setopt(easy, option, value) == CURLE_OK && fine;
    };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_ERRORBUFFER, exchange.error);
    set(CURLOPT_PRIVATE, reinterpret_cast<char*>(static_cast<std::uintptr_t>(id)));
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_PROXY, settings_.proxy.c_str());  // empty: none, whatever the environment says
    set(CURLOPT_NOPROXY, "");
    if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
    if (!request.certificate_file.empty()) set(CURLOPT_SSLCERT, request.certificate_file.c_str());
    if (!request.key_file.empty()) set(CURLOPT_SSLKEY, request.key_file.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_within));
    set(CURLOPT_TIMEOUT_MS, milliseconds(request.answer_within));
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_OPENSOCKETFUNCTION, &Loop::on_open);
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_CLOSESOCKETFUNCTION, &Loop::on_close);
    set(CURLOPT_CLOSESOCKETDATA, this);
    if (request.once) set(CURLOPT_FRESH_CONNECT, 1L);

    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
      set(CURLOPT_POSTFIELDS, request.body.c_str());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method != "GET") {
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    const auto add = [&](const std::string& line) {
      curl_slist* const longer = curl_slist_append(exchange.headers, line.c_str());
      KOI_ASSERT(longer);
      exchange.headers = longer;
    };
    for (const Header& header : request.headers) {
      // A line break in a value would be a header of somebody else's.
      if ((header.name + header.value).find_first_of(std::string_view("\r\n\0", 3)) !=
          std::string::npos)
        return false;
      add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
    }
    add("Expect:");  // no waiting for a 100
    set(CURLOPT_HTTPHEADER, exchange.headers);
    return fine;
  }

  // Whether something of the request can have reached the server.
  static const char* code_of(const Exchange& exchange) {
    curl_off_t before_transfer = 0;
    long sent = 0;
    curl_easy_getinfo(exchange.easy, CURLINFO_PRETRANSFER_TIME_T, &before_transfer);
    curl_easy_getinfo(exchange.easy, CURLINFO_REQUEST_SIZE, &sent);
    return before_transfer > 0 || sent > 0 ? "unanswered" : "unsent";
  }

  void finish(std::unique_ptr<Exchange> exchange, Result<Response> result) {
    // A handle costs more to make than to use again.
    if (multi_ && idle_.size() < most_idle) {
      curl_easy_reset(exchange->easy);
      idle_.push_back(std::exchange(exchange->easy, nullptr));
    }
    asio::post(executor_,
               [waiter = std::move(exchange->waiter), result = std::move(result)]() mutable {
                 waiter->answer(std::move(result));
               });
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      char* id = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &id);
      curl_multi_remove_handle(multi_, message->easy_handle);
      const auto found = exchanges_.find(reinterpret_cast<std::uintptr_t>(id));
      KOI_ASSERT(found != exchanges_.end());
      std::unique_ptr<Exchange> exchange = std::move(found->second);
      exchanges_.erase(found);

      long status = 0;
      curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
      if (code == CURLE_OK || (exchange->response.cut && code == CURLE_WRITE_ERROR)) {
        exchange->response.status = static_cast<int>(status);
        Response response = std::move(exchange->response);
        finish(std::move(exchange), std::move(response));
        continue;
      }
      std::string what = host_of(exchange->request.url) + ": ";
      // curl's own words may quote the request; its names of errors do not.
      what += curl_easy_strerror(code);
      const std::string sent = code_of(*exchange);
      finish(std::move(exchange), Error{sent, std::move(what)});
    }
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* loop_pointer, void*) {
    auto& loop = *static_cast<Loop*>(loop_pointer);
    if (what == CURL_POLL_REMOVE) {
      // A connection is most often kept and used again: so is what listens to it.
      const auto found = loop.sockets_.find(fd);
      if (found == loop.sockets_.end()) return 0;
      found->second->wanted = 0;
      if (!loop.connections_.contains(fd)) loop.forget(fd);
      return 0;
    }
    auto& socket = loop.sockets_[fd];
    if (!socket) {
      const int copy = dup(fd);
      if (copy < 0) return -1;  // no descriptors left: curl fails the exchange
      socket = std::make_shared<Socket>(loop.executor_, copy);
    }
    socket->wanted = what;
    loop.watch(fd, socket);
    return 0;
  }

  // Connections are opened and closed through these, so that a descriptor's number is not taken for
  // an older one's. What curl opens for itself is none of them.
  static curl_socket_t on_open(void* loop_pointer, curlsocktype, curl_sockaddr* address) {
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0) static_cast<Loop*>(loop_pointer)->connections_.insert(fd);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
  }
  static int on_close(void* loop_pointer, curl_socket_t fd) {
    auto& loop = *static_cast<Loop*>(loop_pointer);
    loop.connections_.erase(fd);
    loop.forget(fd);
    return ::close(fd);
  }
  // What still waits on our copy would keep the connection open.
  void forget(curl_socket_t fd) {
    const auto found = sockets_.find(fd);
    if (found == sockets_.end()) return;
    asio::error_code ignored;
    found->second->descriptor.close(ignored);
    sockets_.erase(found);
  }

  void watch(curl_socket_t fd, const std::shared_ptr<Socket>& socket) {
    const auto wait = [&](bool Socket::*waiting, asio::posix::descriptor_base::wait_type type,
                          int wanted, int happened) {
      if (!(socket->wanted & wanted) || (*socket).*waiting) return;
      (*socket).*waiting = true;
      socket->descriptor.async_wait(type, [this, weak = weak_from_this(), fd, socket, waiting,
                                           wanted, happened](const asio::error_code& error) {
        const auto alive = weak.lock();
        if (!alive || !multi_) return;
        (*socket).*waiting = false;
        const auto found = sockets_.find(fd);
        if (found == sockets_.end() || found->second != socket) return;
        if (socket->wanted & wanted) act(fd, error ? CURL_CSELECT_ERR : happened);
        const auto again = sockets_.find(fd);
        if (again != sockets_.end() && again->second == socket) watch(fd, socket);
      });
    };
    wait(&Socket::reading, asio::posix::descriptor_base::wait_read, CURL_POLL_IN, CURL_CSELECT_IN);
    wait(&Socket::writing, asio::posix::descriptor_base::wait_write, CURL_POLL_OUT,
         CURL_CSELECT_OUT);
  }

  static int on_timer(CURLM*, long wait_ms, void* loop_pointer) {
    auto& loop = *static_cast<Loop*>(loop_pointer);
    loop.timer_.cancel();
    if (wait_ms < 0) return 0;
    if (wait_ms == 0) {  // as soon as this callback has returned; one act for all who want it
      if (std::exchange(loop.acts_soon_, true)) return 0;
      asio::post(loop.executor_, [&loop, weak = loop.weak_from_this()] {
        const auto alive = weak.lock();
        if (!alive) return;
        loop.acts_soon_ = false;
        if (loop.multi_) loop.act(CURL_SOCKET_TIMEOUT, 0);
      });
      return 0;
    }
    loop.timer_.expires_after(std::chrono::milliseconds(wait_ms));
    loop.timer_.async_wait([&loop, weak = loop.weak_from_this()](const asio::error_code& error) {
      const auto alive = weak.lock();
      if (!error && alive && loop.multi_) loop.act(CURL_SOCKET_TIMEOUT, 0);
    });
    return 0;
  }

  void act(curl_socket_t fd, int happened) {
    int running = 0;
    curl_multi_socket_action(multi_, fd, happened, &running);
    collect();
  }

  asio::any_io_executor executor_;
  ClientSettings settings_;
  CURLM* multi_ = nullptr;
  asio::steady_timer timer_;
  std::map<curl_socket_t, std::shared_ptr<Socket>> sockets_;
  std::set<curl_socket_t> connections_;  // of the sockets, those that lead to servers
  std::vector<CURL*> idle_;              // handles to be used again
  bool acts_soon_ = false;
  std::map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
  std::uint64_t last_id_ = 0;
};

Client::Client(asio::any_io_executor executor, ClientSettings settings)
    : loop_(std::make_shared<Loop>(std::move(executor), std::move(settings))) {}

Client::~Client() { loop_->close(); }

const ClientSettings& Client::settings() const { return loop_->settings(); }

asio::awaitable<Result<Response>> Client::send(Request request) {
  const std::shared_ptr<Loop> loop = loop_;
  auto initiate = [&](auto handler) {
    const std::uint64_t id = loop->next_id();
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
      slot.assign([weak = std::weak_ptr(loop), id](asio::cancellation_type) {
        if (const auto alive = weak.lock()) alive->cancel(id);
      });
    loop->start(std::move(request),
                std::make_unique<WaiterOf<Response, decltype(handler)>>(std::move(handler)), id);
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<Response>)>(
      initiate, asio::use_awaitable);
}

std::optional<Duration> retry_after(const Headers& headers, Timestamp now) {
  const std::string* const text = find(headers, "retry-after");
  if (!text) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc{} && end == text->data() + text->size()) {
    if (number < 0) return std::nullopt;
    return seconds(std::min<std::int64_t>(number, 366 * 86400));
  }
  const time_t date = curl_getdate(text->c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const Timestamp until{std::min<std::int64_t>(date, latest_accepted.us / 1'000'000) * 1'000'000};
  return std::max(Duration{}, until - now);
}

}  // namespace koi::net
