#include "net/mail.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

#include "net/curl.h"
#include "net/waiter.h"

namespace koi::net {

namespace {

using Security = MailerSettings::Security;
using To = MailAnswer::To;

// Whether the message can be the server's: it cannot be before its end was sent, and libcurl sends
// that after it was told that there is no more to read.
enum class Stage : std::uint8_t { Before, EndGiven, Stopped };

struct Job {
  Mail mail;
  std::unique_ptr<Waiter<MailAnswer>> waiter;  // touched on the executor alone; answered once
  bool begun = false;                          // under the pool's mutex
  std::atomic<Stage> stage{Stage::Before};
  std::atomic<bool> cancelled{false};

  // Of the thread that carries it.
  std::size_t read = 0;
  MailAnswer heard;
  bool quitting = false;  // what is heard then is no answer to the mail
  bool heard_of_end = false;
  std::chrono::steady_clock::time_point deadline;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "5.1.1" of "550 5.1.1 no such user", where it is of the same class as the code.
std::string enhanced_of(std::string_view line) {
  std::size_t end = 4;
  int points = 0;
  while (end < line.size() && (is_digit(line[end]) || line[end] == '.'))
    points += line[end++] == '.';
  const std::string_view status = line.substr(4, end - 4);
  const bool is_one = points == 2 && status.size() >= 5 && status.size() <= 9 &&
                      status[0] == line[0] && status[1] == '.' && is_digit(status[2]) &&
                      is_digit(status.back());
  return is_one ? std::string(status) : std::string();
}

std::size_t on_read(char* room, std::size_t size, std::size_t count, void* job_pointer) {
  Job& job = *static_cast<Job*>(job_pointer);
  const std::string_view rest = std::string_view(job.mail.message).substr(job.read);
  if (rest.empty()) {
    Stage before = Stage::Before;
    if (job.stage.compare_exchange_strong(before, Stage::EndGiven)) return 0;
    return before == Stage::EndGiven ? 0 : CURL_READFUNC_ABORT;
  }
  const std::size_t length = std::min(rest.size(), size * count);
  rest.copy(room, length);
  job.read += length;
  return length;
}

std::size_t on_line(char* bytes, std::size_t size, std::size_t count, void* job_pointer) {
  Job& job = *static_cast<Job*>(job_pointer);
  const std::string_view line(bytes, size * count);
  if (line.size() < 4 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]))
    return size * count;
  if (job.quitting && job.heard.code >= 400) return size * count;
  job.heard.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  job.heard.enhanced = enhanced_of(line);
  job.heard_of_end = job.stage.load() == Stage::EndGiven;
  return size * count;
}

std::size_t on_nothing(char*, std::size_t size, std::size_t count, void*) { return size * count; }

// What is told to the server says to what it answers.
int on_told(CURL*, curl_infotype type, char* bytes, std::size_t size, void* job_pointer) {
  if (type != CURLINFO_HEADER_OUT) return 0;
  Job& job = *static_cast<Job*>(job_pointer);
  To& to = job.heard.to;
  const std::string_view told(bytes, size);
  if (told.starts_with("AUTH ")) to = To::Login;
  if (told.starts_with("MAIL FROM:")) to = To::Sender;
  if (told.starts_with("RCPT TO:")) to = To::Recipient;
  if (told == "DATA\r\n" && to == To::Recipient) to = To::Message;
  if (told == "QUIT\r\n") job.quitting = true;
  return 0;
}

int on_progress(void* job_pointer, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const Job& job = *static_cast<Job*>(job_pointer);
  // Saying goodbye may take as long as the server likes; the outcome is known by then.
  const bool outcome_known = job.heard.code >= 400 || job.stage.load() == Stage::EndGiven ||
                             std::chrono::steady_clock::now() >= job.deadline;
  return job.cancelled.load() || (job.quitting && outcome_known) ? 1 : 0;
}

// A connection: libcurl's handle, and its sockets, so that they can be cut from another thread or
// before libcurl says goodbye, for which it would wait two minutes.
class Line {
 public:
  Line() : easy_(curl_easy_init()) { KOI_ASSERT(easy_); }
  ~Line() {
    cut();
    curl_easy_cleanup(easy_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  CURL* ready() {
    curl_easy_reset(easy_);  // its connection is kept
    curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &on_open);
    curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETFUNCTION, &on_close);
    curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETDATA, this);
    return easy_;
  }

  // Any thread.
  void cut() {
    const std::lock_guard guard(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }

 private:
  static curl_socket_t on_open(void* line_pointer, curlsocktype, curl_sockaddr* address) {
    Line& line = *static_cast<Line*>(line_pointer);
    const int made = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    const std::lock_guard guard(line.mutex_);
    if (made >= 0) line.sockets_.insert(made);
    return made < 0 ? CURL_SOCKET_BAD : made;
  }
  static int on_close(void* line_pointer, curl_socket_t socket) {
    Line& line = *static_cast<Line*>(line_pointer);
    const std::lock_guard guard(line.mutex_);
    line.sockets_.erase(socket);
    return ::close(socket);
  }

  CURL* easy_;
  std::mutex mutex_;
  std::set<int> sockets_;
};

bool may_be_sent(const Mail& mail) {
  const auto plain = [](const std::string& address) {
    return std::none_of(address.begin(), address.end(), [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte <= 0x20 || byte >= 0x7f || c == '<' || c == '>';
    });
  };
  if (mail.to.empty() || !plain(mail.to) || !plain(mail.from)) return false;
  const std::string& text = mail.message;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')))
      return false;
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return false;
  }
  return true;
}

}  // namespace

class Mailer::Pool {
 public:
  Pool(asio::any_io_executor executor, MailerSettings settings)
      : executor_(std::move(executor)), settings_(std::move(settings)) {
    start_curl();
    url_ = settings_.security == Security::Tls ? "smtps://" : "smtp://";
    url_ += settings_.host + ":" + std::to_string(settings_.port);
    if (!settings_.hello.empty()) url_ += "/" + settings_.hello;
  }

  void close() {
    std::vector<std::shared_ptr<Job>> open;
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
      open.assign(waiting_.begin(), waiting_.end());
      open.insert(open.end(), under_way_.begin(), under_way_.end());
    }
    for (const auto& job : open) cancel(job);
    changed_.notify_all();
    {
      const std::lock_guard guard(mutex_);
      for (const auto& line : lines_) line->cut();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void start(const std::shared_ptr<Job>& job) {
    if (!may_be_sent(job->mail))
      return answer_later(job,
                          Error{"unsent", "the message cannot be sent: it is not well formed"});
    {
      const std::lock_guard guard(mutex_);
      waiting_.push_back(job);
      if (idle_ < waiting_.size() && threads_.size() < settings_.connections) {
        ++idle_;
        threads_.emplace_back([this] { work(); });
      }
    }
    changed_.notify_one();
  }

  void cancel(const std::shared_ptr<Job>& job) {
    job->cancelled.store(true);
    bool unsent = true;
    {
      const std::lock_guard guard(mutex_);
      if (job->begun) {
        Stage before = Stage::Before;
        unsent =
            job->stage.compare_exchange_strong(before, Stage::Stopped) || before == Stage::Stopped;
      } else {
        std::erase(waiting_, job);
      }
    }
    answer_later(job, Error{unsent ? "unsent" : "unanswered", settings_.host + ": cancelled"});
  }

 private:
  static void answer(Job& job, Result<MailAnswer> result) {
    if (const auto waiter = std::move(job.waiter)) waiter->answer(std::move(result));
  }
  void answer_later(std::shared_ptr<Job> job, Result<MailAnswer> result) {
    asio::post(executor_, [job = std::move(job), result = std::move(result)]() mutable {
      answer(*job, std::move(result));
    });
  }

  // One connection.
  void work() {
    auto line = std::make_shared<Line>();
    std::unique_lock lock(mutex_);
    lines_.insert(line);
    while (true) {
      changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) break;
      --idle_;
      std::shared_ptr<Job> job = std::move(waiting_.front());
      waiting_.pop_front();
      job->begun = true;
      under_way_.push_back(job);
      lock.unlock();
      Result<MailAnswer> result = carry(line->ready(), *job);
      std::shared_ptr<Line> used;
      lock.lock();
      if (!result) {  // an answer may still come on it, and would be taken for the next mail's
        used = std::exchange(line, std::make_shared<Line>());
        lines_.erase(used);
        lines_.insert(line);
      }
      std::erase(under_way_, job);
      ++idle_;  // before the answer, so that who sends the next finds this connection free
      answer_later(std::move(job), std::move(result));
      lock.unlock();
      used.reset();
      lock.lock();
    }
    lines_.erase(line);
    lock.unlock();
  }

  Result<MailAnswer> carry(CURL* easy, Job& job) {
    job.deadline =
        std::chrono::steady_clock::now() + std::chrono::microseconds(settings_.answer_within.us);
    bool fine = true;
    const auto set = [&](CURLoption option, auto value) {
      fine = curl_easy_setopt(easy, option, value) == CURLE_OK && fine;
    };
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (settings_.security == Security::StartTls)
      set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
    if (!settings_.user.empty()) {
      set(CURLOPT_USERNAME, settings_.user.c_str());
      set(CURLOPT_PASSWORD, settings_.password.c_str());
    }
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(settings_.connect_within));
    set(CURLOPT_TIMEOUT_MS, milliseconds(settings_.answer_within));
    set(CURLOPT_MAIL_FROM, job.mail.from.c_str());
    curl_slist* const to = curl_slist_append(nullptr, job.mail.to.c_str());
    KOI_ASSERT(to);
    set(CURLOPT_MAIL_RCPT, to);
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &on_read);
    set(CURLOPT_READDATA, &job);
    set(CURLOPT_HEADERFUNCTION, &on_line);
    set(CURLOPT_HEADERDATA, &job);
    set(CURLOPT_WRITEFUNCTION, &on_nothing);
    set(CURLOPT_DEBUGFUNCTION, &on_told);
    set(CURLOPT_DEBUGDATA, &job);
    set(CURLOPT_VERBOSE, 1L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, &job);
    set(CURLOPT_NOPROGRESS, 0L);
    const CURLcode code = fine ? curl_easy_perform(easy) : CURLE_FAILED_INIT;
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, static_cast<curl_slist*>(nullptr));
    curl_slist_free_all(to);
    return came_of(job, code);
  }

  Result<MailAnswer> came_of(const Job& job, CURLcode code) const {
    MailAnswer answer = job.heard;
    if (code == CURLE_OK) {
      answer.taken = true;
      return answer;
    }
    const bool end_given = job.stage.load() == Stage::EndGiven;
    if (answer.code >= 400 && (!end_given || job.heard_of_end)) return answer;
    // curl's own words may quote what was said; its names of errors do not.
    const std::string what = settings_.host + ": ";
    if (code == CURLE_USE_SSL_FAILED)
      return Error{"security", what + "it does not offer the TLS that is asked for"};
    if (code == CURLE_LOGIN_DENIED && !end_given)
      return Error{"login", what + "it offers no way to log in that is known here"};
    return Error{end_given ? "unanswered" : "unsent", what + curl_easy_strerror(code)};
  }

  asio::any_io_executor executor_;
  MailerSettings settings_;
  std::string url_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::size_t idle_ = 0;  // threads that carry nothing
  std::deque<std::shared_ptr<Job>> waiting_;
  std::vector<std::shared_ptr<Job>> under_way_;
  std::set<std::shared_ptr<Line>> lines_;
  std::vector<std::thread> threads_;  // of the executor's thread
};

Mailer::Mailer(asio::any_io_executor executor, MailerSettings settings)
    : pool_(std::make_shared<Pool>(std::move(executor), std::move(settings))) {}

Mailer::~Mailer() { pool_->close(); }

asio::awaitable<Result<MailAnswer>> Mailer::send(Mail mail) {
  const std::shared_ptr<Pool> pool = pool_;
  const auto initiate = [&](auto handler) {
    auto job = std::make_shared<Job>();
    job->mail = std::move(mail);
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
      slot.assign([weak_pool = std::weak_ptr(pool),
                   weak_job = std::weak_ptr(job)](asio::cancellation_type) {
        const auto alive = weak_pool.lock();
        const auto open = weak_job.lock();
        if (alive && open) alive->cancel(open);
      });
    job->waiter = std::make_unique<WaiterOf<MailAnswer, decltype(handler)>>(std::move(handler));
    pool->start(job);
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<MailAnswer>)>(
      initiate, asio::use_awaitable);
}

}  // namespace koi::net
