#include <array>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/sys/fd.h"
#include "agent/sys/journal.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::string_literals;

namespace {

/// The journal's end.
struct Journal {
    Journal() {
        REQUIRE(::mkdtemp(folder.data()) != nullptr);
        path = folder + "/socket";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
                0);
    }
    ~Journal() {
        ::unlink(path.c_str());
        ::rmdir(folder.c_str());
    }
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;
    [[nodiscard]] std::string heard() const {
        std::array<char, 4096> text{};
        const auto size = ::recv(fd.get(), text.data(), text.size(), MSG_DONTWAIT);
        return size < 0 ? "(nothing)" : std::string(text.data(), static_cast<std::size_t>(size));
    }
    std::string folder = "/tmp/muster-journal.XXXXXX";
    std::string path;
    Fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

std::string sized(const std::string& name, const std::string& value) {
    return name + "\n" + static_cast<char>(value.size()) + "\0\0\0\0\0\0\0"s + value + "\n";
}

} // namespace

TEST_CASE("journal: a message, its priority and each field by its name") {
    CHECK(journal_entry("done stage=ebs", 6, {{"stage", "ebs"}}) ==
          sized("MESSAGE", "done stage=ebs") + sized("PRIORITY", "6") +
              sized("SYSLOG_IDENTIFIER", "muster") + sized("MUSTER_STAGE", "ebs"));
}

TEST_CASE("journal: what a device calls itself makes no field of its own") {
    const auto entry = journal_entry("x", 3, {{"model-name 1", "a\nPRIORITY=0\n"}});
    CHECK(entry.ends_with(sized("MUSTER_MODEL_NAME_1", "a\nPRIORITY=0\n")));
    const auto longest = journal_entry("x", 3, {{std::string(100, 'a'), "1"}});
    CHECK(longest.ends_with(sized("MUSTER_" + std::string(57, 'A'), "1")));
}

TEST_CASE("journal: an entry is one datagram; nobody waits for one that is not read") {
    const Journal journal;
    CHECK(send_to_journal(journal.path.c_str(), "MESSAGE=x\n"));
    CHECK(journal.heard() == "MESSAGE=x\n");
    // Nobody reads any more: in the end it is full, and says so at once.
    unsigned sent = 0;
    while (sent < 100'000 && send_to_journal(journal.path.c_str(), std::string(1000, 'x')))
        ++sent;
    CHECK(sent < 100'000);
    CHECK_FALSE(send_to_journal("/nonexistent/socket", "x"));
    CHECK_FALSE(send_to_journal(("/" + std::string(200, 'x')).c_str(), "x"));
}

TEST_CASE("journal: only a stream that is the journal's own leads there") {
    const Fd file(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    struct stat status{};
    REQUIRE(::fstat(file.get(), &status) == 0);
    ::unsetenv("JOURNAL_STREAM");
    CHECK_FALSE(leads_to_journal(file.get()));
    ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", status.st_dev, status.st_ino).c_str(), 1);
    CHECK(leads_to_journal(file.get()));
    ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", status.st_dev, status.st_ino + 1).c_str(), 1);
    CHECK_FALSE(leads_to_journal(file.get()));
    ::unsetenv("JOURNAL_STREAM");
}
