#include "agent/sys/lines.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "agent/sys/fd.h"

namespace muster {
namespace {

class Splitter {
  public:
    Splitter(std::size_t most, const std::function<void(const Line&)>& take)
        : most_(most), take_(take) {}

    void add(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto end = bytes.find('\n');
            keep(bytes.substr(0, end));
            if (end == std::string_view::npos) return;
            finish();
            bytes.remove_prefix(end + 1);
        }
    }
    /// A last line needs no end.
    void close() {
        if (!line_.empty()) finish();
    }

  private:
    void keep(std::string_view part) {
        const auto room = most_ - line_.size();
        whole_ = whole_ && part.size() <= room;
        line_ += part.substr(0, room);
    }
    void finish() {
        take_({.number = ++number_, .text = line_, .whole = whole_});
        line_.clear();
        whole_ = true;
    }

    std::size_t most_;
    const std::function<void(const Line&)>& take_;
    std::string line_;
    bool whole_ = true;
    std::size_t number_ = 0;
};

} // namespace

Result<void> each_line(const std::string& path, std::size_t most,
                       const std::function<void(const Line&)>& take) {
    Fd file;
    if (path != "-") {
        file = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
        if (!file) return fail_errno(errno, "can't open " + path);
    }
    Splitter splitter(most, take);
    std::array<char, 1 << 16> block;
    while (true) {
        const auto size = ::read(file ? file.get() : STDIN_FILENO, block.data(), block.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return fail_errno(errno, "can't read " + path);
        if (size == 0) break;
        splitter.add({block.data(), static_cast<std::size_t>(size)});
    }
    splitter.close();
    return {};
}

} // namespace muster
