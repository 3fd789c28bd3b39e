// A fleet that boots in one second and reports to an endpoint that comes up late, on loopback.
//
// Real: the courier's tries and waits, the webhook, the HTTP client, sockets. One thread an agent
// (256 KiB of stack), and one for the endpoint.
#pragma once

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "agent/delivery/courier.h"
#include "agent/sinks/sink.h"
#include "agent/sys/clock.h"
#include "agent/sys/fd.h"
#include "agent/sys/http.h"

namespace muster::testing {

/// How many of something there were in each slot of time.
class Histogram {
  public:
    static constexpr Duration slot = std::chrono::milliseconds(500);
    void add(Duration since_start) {
        ++counts_[std::min(counts_.size() - 1, static_cast<std::size_t>(since_start / slot))];
        ++sum;
    }
    [[nodiscard]] std::vector<unsigned> counts(Duration until) const {
        return {counts_.begin(), counts_.begin() + static_cast<std::ptrdiff_t>(until / slot) + 1};
    }
    std::atomic<unsigned> sum = 0;

  private:
    std::array<std::atomic<unsigned>, 1000> counts_{};
};

/// Refuses connections until `open`, then answers every request with 200.
class LateEndpoint {
  public:
    explicit LateEndpoint(Clock& clock)
        : clock_(clock), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
          poll_(::epoll_create1(EPOLL_CLOEXEC)) {
        sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t size = sizeof address;
        // Bound and not listening: the port is ours, and connecting to it is refused.
        if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error("no port");
        }
        url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1/reports";
    }
    LateEndpoint(const LateEndpoint&) = delete;
    LateEndpoint& operator=(const LateEndpoint&) = delete;
    ~LateEndpoint() {
        ending_ = true;
        if (serving_) clock_.wait(*serving_);
    }

    void open(Instant start) {
        start_ = start;
        if (::listen(socket_.get(), 4096) != 0) throw std::runtime_error("can't listen");
        watch(socket_.get());
        serving_ = clock_.start("endpoint", [this] { serve(); });
    }

    std::string url;
    Histogram answered;
    std::atomic<std::size_t> most_at_once = 0; ///< connections

  private:
    void watch(int fd) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
    }

    void serve() {
        std::array<epoll_event, 256> events{};
        while (!ending_) {
            const int n = ::epoll_wait(poll_.get(), events.data(), events.size(), 50);
            for (int i = 0; i < n; ++i) {
                if (const int fd = events[static_cast<std::size_t>(i)].data.fd; fd == socket_.get())
                    accept_all();
                else
                    read(fd);
            }
        }
    }

    void accept_all() {
        while (true) {
            Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!client) return;
            const int fd = client.get();
            watch(fd);
            clients_.emplace(fd, Client{std::move(client), ""});
            most_at_once = std::max<std::size_t>(most_at_once, clients_.size());
        }
    }

    /// A report of the storm is whole when its last byte, the only "}", is there.
    void read(int fd) {
        auto& client = clients_.at(fd);
        std::array<char, 4096> buffer{};
        const auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (n <= 0) {
            clients_.erase(fd);
            return;
        }
        client.text.append(buffer.data(), static_cast<std::size_t>(n));
        if (!client.text.ends_with('}')) return;
        client.text.clear();
        answered.add(clock_.now() - start_);
        constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        [[maybe_unused]] const auto sent = ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    }

    struct Client {
        Fd fd;
        std::string text;
    };
    Clock& clock_;
    Fd socket_;
    Fd poll_;
    std::map<int, Client> clients_;
    Instant start_{};
    std::atomic<bool> ending_ = false;
    std::unique_ptr<Job> serving_;
};

/// Takes note of each try.
class CountedSink : public Sink {
  public:
    CountedSink(std::unique_ptr<Sink> sink, Clock& clock, Instant start, Histogram& tries)
        : sink_(std::move(sink)), clock_(clock), start_(start), tries_(tries) {}
    [[nodiscard]] std::expected<void, SinkError> deliver(const Message& message,
                                                         Duration limit) override {
        tries_.add(clock_.now() - start_);
        return sink_->deliver(message, limit);
    }

  private:
    std::unique_ptr<Sink> sink_;
    Clock& clock_;
    Instant start_;
    Histogram& tries_;
};

struct Storm {
    std::vector<unsigned> tries;    ///< in each slot of Histogram, of all agents
    std::vector<unsigned> answered; ///< by the endpoint
    std::size_t delivered = 0;
    unsigned most_tries = 0; ///< of one agent
    std::size_t most_connections = 0;
    double last_seconds = 0; ///< when the last was delivered
};

/// `agents` boot within one second; the endpoint comes up `up_after` the first, and not before
/// so many `refused` tries.
inline Storm storm(unsigned agents, Duration up_after, Duration deadline, unsigned refused = 0) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max = std::max<rlim_t>(files.rlim_max, 3L * agents + 100);
    ::setrlimit(RLIMIT_NOFILE, &files);

    const auto clock = make_system_clock();
    LateEndpoint endpoint(*clock);
    Histogram tries;
    std::atomic<std::size_t> delivered = 0;
    std::atomic<unsigned> most_tries = 0;
    std::atomic<Duration::rep> last{};
    std::mt19937_64 random(std::random_device{}());
    const Instant start = clock->now();
    std::vector<std::unique_ptr<Job>> fleet;
    for (unsigned i = 0; i < agents; ++i) {
        const auto boots = start + std::chrono::milliseconds(random() % 1000);
        fleet.push_back(clock->start("agent", [&, i, boots] {
            clock->sleep_until(boots);
            CountedSink sink(
                make_webhook(endpoint.url, "", make_http_client({.tls = false}), *clock), *clock,
                start, tries);
            const Message message{.body = R"({"outcome":"ready"})",
                                  .key = "i-" + std::to_string(i) + "/b/1"};
            const std::atomic<bool> never = false;
            const auto delivery = deliver_with_retries(
                sink, message, *clock, Deadline{boots + deadline}, fresh_schedule(), never);
            delivered += delivery.delivered ? 1 : 0;
            auto most = most_tries.load();
            while (most < delivery.tries && !most_tries.compare_exchange_weak(most, delivery.tries))
                ;
            const auto now = (clock->now() - start).count();
            auto latest = last.load();
            while (latest < now && !last.compare_exchange_weak(latest, now))
                ;
        }));
    }
    clock->sleep_until(start + up_after);
    while (tries.sum < refused)
        clock->sleep_until(clock->now() + std::chrono::milliseconds(5));
    endpoint.open(start);
    for (auto& agent : fleet)
        clock->wait(*agent);
    const Duration took(last.load());
    return {.tries = tries.counts(took),
            .answered = endpoint.answered.counts(took),
            .delivered = delivered,
            .most_tries = most_tries,
            .most_connections = endpoint.most_at_once,
            .last_seconds = seconds(took)};
}

} // namespace muster::testing
