#include "file/key_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace koi::connectors {

namespace {

constexpr std::uint64_t magic = 0x31'79'65'6b'69'6f'6b'00;  // "\0koikey1"
constexpr std::uint64_t first_slots = 4096;
constexpr std::uint64_t page_slots = 256;  // read together: a probe seldom goes further

struct Header {
  std::uint64_t mark = magic;
  std::uint64_t slots = 0;  // a power of two; at most half of them are used
  std::uint64_t used = 0;   // at least so many; exact after `cover`
  std::uint64_t covers = 0;
};
static_assert(sizeof(Header) == 32 && sizeof(Hash128) == 16);
constexpr std::uint64_t header_size = 4096;

// A slot of zeros is free; the one key that looks so is kept as another.
Hash128 kept(Hash128 key) { return key == Hash128{} ? Hash128{0, 1} : key; }

bool read_all(int fd, void* to, std::size_t size, std::uint64_t at) {
  auto* bytes = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t n = pread(fd, bytes, size, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n, at += static_cast<std::uint64_t>(n), size -= static_cast<std::size_t>(n);
  }
  return true;
}
bool write_all(int fd, const void* from, std::size_t size, std::uint64_t at) {
  const auto* bytes = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t n = pwrite(fd, bytes, size, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n, at += static_cast<std::uint64_t>(n), size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

KeyIndex::~KeyIndex() {
  if (fd_ >= 0) ::close(fd_);
}

Error KeyIndex::error(const char* doing) const {
  return {"index", path_ + ": " + doing + ": " + std::strerror(errno)};
}

Result<void> KeyIndex::make(const std::string& path, std::uint64_t slots) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Error{"index", path + ": cannot be made: " + std::strerror(errno)};
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  slots_ = slots;
  used_ = covers_ = 0;
  const Header header{.slots = slots};
  if (ftruncate(fd, static_cast<off_t>(header_size + slots * sizeof(Hash128))) != 0 ||
      !write_all(fd, &header, sizeof header, 0))
    return Error{"index", path + ": cannot be written: " + std::strerror(errno)};
  return {};
}

Result<void> KeyIndex::open(std::string path, std::uint64_t most) {
  path_ = std::move(path);
  fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) return make(path_, first_slots);
  Header header;
  struct stat found {};
  const bool good =
      fstat(fd_, &found) == 0 && read_all(fd_, &header, sizeof header, 0) && header.mark == magic &&
      header.slots >= first_slots && header.slots <= (std::uint64_t{1} << 40) &&
      (header.slots & (header.slots - 1)) == 0 && header.used <= header.slots / 2 &&
      header.covers <= most &&
      static_cast<std::uint64_t>(found.st_size) == header_size + header.slots * sizeof(Hash128);
  if (!good) return make(path_, first_slots);
  slots_ = header.slots;
  // What was added after the last `cover` may be there too, uncounted: add_uncovered() counts it.
  used_ = header.used;
  covers_ = header.covers;
  return {};
}

Result<KeyIndex::Place> KeyIndex::place_of(Hash128 key) const {
  std::array<Hash128, page_slots> page;
  std::uint64_t slot = key.low & (slots_ - 1);
  for (std::uint64_t looked = 0; looked < slots_;) {
    const std::uint64_t first = slot / page_slots * page_slots;
    if (!read_all(fd_, page.data(), sizeof page, header_size + first * sizeof(Hash128)))
      return error("cannot be read");
    for (; slot < first + page_slots; ++slot, ++looked) {
      if (page[slot - first] == key) return Place{slot, true};
      if (page[slot - first] == Hash128{}) return Place{slot, false};
    }
    slot &= slots_ - 1;
  }
  return Error{"index", path_ + ": is damaged (no slot is free); remove it, it is made anew"};
}

Result<bool> KeyIndex::has(Hash128 key) const {
  KOI_LET(const Place place, place_of(kept(key)));
  return place.taken;
}

Result<void> KeyIndex::put(std::uint64_t slot, Hash128 key) {
  if (!write_all(fd_, &key, sizeof key, header_size + slot * sizeof(Hash128)))
    return error("cannot be written");
  ++used_;
  return {};
}

Result<void> KeyIndex::add(Hash128 key) {
  key = kept(key);
  KOI_LET(const Place found, place_of(key));
  if (found.taken) return {};
  if (used_ < slots_ / 2) return put(found.slot, key);
  KOI_TRY(grow());
  KOI_LET(const Place place, place_of(key));
  return put(place.slot, key);
}

Result<void> KeyIndex::add_uncovered(Hash128 key) {
  KOI_LET(const Place found, place_of(kept(key)));
  if (!found.taken) return add(key);
  ++used_;
  if (used_ > slots_ / 2) return grow();
  return {};
}

// Into a new file twice as large, which then takes the place of the old one.
Result<void> KeyIndex::grow() {
  KeyIndex larger;
  larger.path_ = path_ + ".new";
  KOI_TRY(larger.make(larger.path_, slots_ * 2));
  std::array<Hash128, page_slots> page;
  for (std::uint64_t first = 0; first < slots_; first += page_slots) {
    if (!read_all(fd_, page.data(), sizeof page, header_size + first * sizeof(Hash128)))
      return error("cannot be read");
    for (const Hash128& key : page)
      if (key != Hash128{}) KOI_TRY(larger.add(key));
  }
  KOI_TRY(larger.cover(covers_));
  if (std::rename(larger.path_.c_str(), path_.c_str()) != 0) return error("cannot be replaced");
  std::swap(fd_, larger.fd_);
  slots_ = larger.slots_;
  used_ = larger.used_;
  return {};
}

Result<void> KeyIndex::cover(std::uint64_t bytes) {
  // The slots first: a header that is on the disk must not speak of slots that are not.
  if (fdatasync(fd_) != 0) return error("cannot be synced");
  const Header header{.slots = slots_, .used = used_, .covers = bytes};
  if (!write_all(fd_, &header, sizeof header, 0) || fdatasync(fd_) != 0)
    return error("cannot be synced");
  covers_ = bytes;
  return {};
}

}  // namespace koi::connectors
