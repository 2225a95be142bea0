#include "serve/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace koi::serve {

namespace {

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> made = [] {
    auto logger =
        std::make_shared<spdlog::logger>("koi", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc));
    logger->flush_on(spdlog::level::info);
    return logger;
  }();
  return *made;
}

}  // namespace

void log(channel::Level level, std::string_view what) {
  switch (level) {
    case channel::Level::Info: logger().info("{}", what); break;
    case channel::Level::Warning: logger().warn("{}", what); break;
    case channel::Level::Problem: logger().error("{}", what); break;
  }
}

}  // namespace koi::serve
