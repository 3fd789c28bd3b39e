// tests/simulator as a process of the test's own, on loopback.
#pragma once

#include <array>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "agent/sys/fd.h"
#include "agent/sys/http.h"
#include "tests/pace.h"

namespace muster::testing {

/// Starts it, knows its addresses, changes its script; it is gone when the test is.
class Simulator {
  public:
    using Json = nlohmann::json;

    /// `script`: a name in tests/simulator/scripts, or the JSON itself.
    explicit Simulator(const std::string& script = "healthy",
                       const std::vector<std::string>& arguments = {}) {
        std::string name = "/tmp/muster-simulator.XXXXXX";
        Fd made(::mkstemp(name.data()));
        if (!made) throw std::runtime_error("simulator: no temporary file");
        record_ = name;
        log_ = name + ".log";
        start(script, arguments);
        const auto addresses = Json::parse(ready_line());
        metadata = addresses.at("metadata");
        endpoint = addresses.at("endpoint");
        control_ = addresses.at("control");
    }
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;
    ~Simulator() {
        in_.close(); // it ends with its standard input
        ::waitpid(pid_, nullptr, 0);
        ::unlink(record_.c_str());
        ::unlink(log_.c_str());
    }

    /// Answers when the sockets follow.
    void swap(const std::string& script) { ask("POST", "/_simulator/script", script); }
    [[nodiscard]] Json state() { return Json::parse(ask("GET", "/_simulator/state", "")); }

    /// What the endpoint got, in order: the recorded lines.
    [[nodiscard]] std::vector<Json> recorded() const { return lines_of(record_); }
    /// What the metadata service was asked, in order: the logged lines.
    [[nodiscard]] std::vector<Json> asked() const { return lines_of(log_); }
    /// All counters at zero, nothing recorded or logged.
    void forget() {
        ask("POST", "/_simulator/reset", "");
        for (const auto& file : {record_, log_})
            if (::truncate(file.c_str(), 0) != 0) throw std::runtime_error("simulator: " + file);
    }

    std::string metadata; ///< "http://127.0.0.1:PORT"
    std::string endpoint;

  private:
    [[nodiscard]] static std::vector<Json> lines_of(const std::string& path) {
        std::vector<Json> lines;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);)
            lines.push_back(Json::parse(line));
        return lines;
    }

    void start(const std::string& script, const std::vector<std::string>& arguments) {
        const std::string program = MUSTER_SOURCE_DIR "/tests/simulator/simulator.py";
        std::vector<std::string> words = {
            "python3",  "-S",    "-E",    program, "--script",         script,
            "--record", record_, "--log", log_,    "--exit-with-stdin"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        std::vector<char*> argv;
        for (auto& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        std::array<int, 2> in{};
        std::array<int, 2> out{};
        if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
            throw std::runtime_error("simulator: no pipe");
        }
        Fd their_in(in[0]);
        in_ = Fd(in[1]);
        out_ = Fd(out[0]);
        Fd their_out(out[1]);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(their_in.get(), STDIN_FILENO);
            ::dup2(their_out.get(), STDOUT_FILENO);
            ::execv("/usr/bin/python3", argv.data());
            ::_exit(127);
        }
    }

    std::string ready_line() {
        std::string line;
        for (char c = 0; ::read(out_.get(), &c, 1) == 1 && c != '\n';)
            line += c;
        if (line.empty()) throw std::runtime_error("simulator: it did not start");
        return line;
    }

    std::string ask(const std::string& method, const std::string& path, const std::string& body) {
        const auto reply = make_http_client({})->attempt({.method = method,
                                                          .url = control_ + path,
                                                          .headers = {},
                                                          .body = body,
                                                          .connect_limit = patience,
                                                          .total_limit = patience});
        if (!reply || reply->status != 200) {
            throw std::runtime_error("simulator: " + (reply ? reply->body : reply.error().message));
        }
        return reply->body;
    }

    std::string record_;
    std::string log_;
    std::string control_;
    pid_t pid_ = -1;
    Fd in_;
    Fd out_;
};

/// One metadata service at "127.0.0.1" and "::1", on one port: a simulator each.
struct TwoFamilies {
    [[nodiscard]] static bool possible() { return ::access("/proc/net/if_inet6", F_OK) == 0; }

    Simulator v4;
    Simulator v6{
        "healthy",
        {"--bind", "::1", "--metadata-port", v4.metadata.substr(v4.metadata.rfind(':') + 1)}};
};

} // namespace muster::testing
