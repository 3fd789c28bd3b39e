#include "agent/sys/child.h"

// Boost.Process v2 of Boost 1.81, read line by line and tried. Its launcher and its waiting hold;
// the rest needs care, and this is why the code below is as it is:
// - It opens a pidfd for the child and throws, the child running on, where the kernel has none
//   (before 5.3; Amazon Linux 2 has 4.14). So its other way, SIGCHLD, is chosen here.
// - It closes inherited descriptors by close_range(2), whose failure it ignores (absent
// before 5.9),
//   and leaves every gap between two descriptors that it keeps (close_handles.ipp reads
//   `next = whitelist[idx]`, the same element as `mine`). So all of ours are close-on-exec.
// - process_stdio makes pipes whose failure it ignores: the program would then write to /dev/null,
//   and we would read an empty output from a success. So the pipes are ours.
// - After a failed exec the child calls exit(), which runs the agent's atexit handlers;
// on_exec_error
//   is meant for that, but is looked up with five arguments and called with four. Hence the
//   `auto...`.
// - The launcher waits without limit for exec's result, so a program on a stuck volume hangs it.
//   Hence the helper around all this, which its caller abandons.
// - ~process kills and then waits without limit. Hence detach().
#define BOOST_PROCESS_V2_DISABLE_PIDFD_OPEN

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sys/fd.h"

namespace muster {

namespace {

namespace asio = boost::asio;
namespace bp = boost::process::v2;
using boost::system::error_code;

constexpr std::size_t kMaxOut = 4 << 20;
constexpr std::size_t kMaxEnd = 64 << 10;
constexpr auto kTermToKill = std::chrono::seconds(1);
/// How long a program that was killed has to vanish (one in D state does not), and a grandchild
/// that still holds the pipes after its parent's end.
constexpr auto kGrace = std::chrono::milliseconds(100);

/// What the child does to itself between fork and exec.
struct ChildSetup {
    int in, out, err;
    pid_t parent;
    bool outlives_agent;

    error_code on_exec_setup(bp::posix::default_launcher&, const bp::filesystem::path&,
                             const char* const*) const {
        // Death with its parent; but one that is writing had better come to its end: a vgcreate
        // killed between the labels and the group's first metadata leaves labels that say "in use"
        // and a group that nobody knows (seen), which looks like somebody else's. Nobody reads what
        // it says then, and that must not end it either.
        if (outlives_agent) {
            (void)std::signal(SIGPIPE, SIG_IGN);
        } else if (::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() != parent) {
            ::_exit(127); // the helper died before
        }
        // A group of its own, so that a signal reaches its children too.
        if (::setpgid(0, 0) != 0 || ::dup2(in, STDIN_FILENO) < 0 ||
            ::dup2(out, STDOUT_FILENO) < 0 || ::dup2(err, STDERR_FILENO) < 0) {
            return {errno, boost::system::system_category()};
        }
        (void)std::signal(SIGCHLD, SIG_DFL);
        return {};
    }

    void on_exec_error(auto&&...) const { ::_exit(127); }
};

/// One of the program's outputs, read to its end.
struct Output {
    Output(asio::io_context& context, bool only_end)
        : pipe(context), only_its_end(only_end), limit(only_end ? kMaxEnd : kMaxOut) {}
    asio::readable_pipe pipe;
    bool only_its_end; ///< what is beyond the limit is forgotten; else it is an error
    std::size_t limit;
    std::string text;
    std::array<char, 64 << 10> buffer{};
    bool open = true;
};

class Run {
  public:
    explicit Run(bool only_its_end) : out_(context_, only_its_end) {}

    Result<CommandOutput> operator()(const Child& child) {
        const auto started = std::chrono::steady_clock::now();
        if (auto launched = launch(child); !launched) {
            return fail(std::move(launched.error()));
        }
        read(out_);
        read(err_);
        process_.async_wait([this](error_code, int) { on_exit(); });
        after(child.limit, [this] { on_deadline(); });
        context_.run();
        const int status = process_.native_exit_code();
        (void)process_.detach();
        return result(status, std::chrono::steady_clock::now() - started);
    }

  private:
    static Result<Fd> open_pipe(Output& output) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            return fail_errno(errno, "can't make a pipe");
        }
        output.pipe.assign(ends[0]);
        return Fd(ends[1]);
    }

    Result<void> launch(const Child& child) {
        auto out = open_pipe(out_);
        auto err = open_pipe(err_);
        if (!out || !err) {
            return fail(out ? std::move(err.error()) : std::move(out.error()));
        }
        std::vector<const char*> environment{"LC_ALL=C"};
        for (const auto& variable : child.environment) {
            environment.push_back(variable.c_str());
        }
        environment.push_back(nullptr);
        bp::posix::default_launcher launcher;
        launcher.env = environment.data();
        const std::vector<std::string> arguments(child.argv.begin() + 1, child.argv.end());
        error_code error;
        process_ = launcher(context_.get_executor(), error, child.argv.front(), arguments,
                            ChildSetup{child.standard_input, out->get(), err->get(), ::getpid(),
                                       child.outlives_agent});
        if (error) {
            return fail_errno(error.value(), "can't run " + child.argv.front());
        }
        group_ = process_.id();
        return {};
    }

    void read(Output& output) {
        output.pipe.async_read_some(
            asio::buffer(output.buffer),
            [this, &output](error_code error, std::size_t n) { on_output(output, error, n); });
    }

    void on_output(Output& output, error_code error, std::size_t n) {
        output.text.append(output.buffer.data(), n);
        if (output.only_its_end && output.text.size() > 2 * output.limit) {
            cut(output);
        }
        if (!output.only_its_end && output.text.size() > output.limit && !too_large_) {
            too_large_ = true;
            kill_and_leave();
        }
        output.open = !error && !too_large_;
        if (output.open) {
            read(output);
        } else {
            end_if_done();
        }
    }

    /// The end of what a program says tells most.
    static void cut(Output& output) {
        if (output.only_its_end && output.text.size() > output.limit) {
            output.text.erase(0, output.text.size() - output.limit);
        }
    }

    void on_exit() {
        exited_ = true;
        end_if_done();
        // A grandchild can hold the pipes open for hours; what is in them by now is what counts.
        after(kGrace, [this] { kill_and_leave(); });
    }

    void on_deadline() {
        late_ = true;
        ::kill(-group_, SIGTERM);
        after(kTermToKill, [this] { kill_and_leave(); });
    }

    void kill_and_leave() {
        ::kill(-group_, SIGKILL);
        after(kGrace, [this] { context_.stop(); });
    }

    void end_if_done() {
        if (exited_ && !out_.open && !err_.open) {
            context_.stop();
        }
    }

    /// One timer: a later step replaces the one before.
    template <class Step>
    void after(Duration delay, Step step) {
        timer_.expires_after(delay);
        timer_.async_wait([step](error_code error) {
            if (!error) {
                step();
            }
        });
    }

    Result<CommandOutput> result(int status, Duration took) {
        cut(out_);
        cut(err_);
        if (too_large_) {
            return fail(Errc::too_large, "more than 4 MiB of output");
        }
        if (late_ && !(exited_ && out_.only_its_end)) {
            return fail(Errc::stuck, exited_ ? "it had to be ended at its deadline"
                                             : "it does not end, not even when killed");
        }
        CommandOutput output;
        output.exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        output.out = std::move(out_.text);
        output.err = std::move(err_.text);
        output.took = took;
        output.ended_late = late_;
        return output;
    }

    asio::io_context context_{1};
    asio::steady_timer timer_{context_};
    Output out_;
    Output err_{context_, true};
    bp::basic_process<asio::io_context::executor_type> process_{context_};
    pid_t group_ = 0;
    bool exited_ = false;
    bool late_ = false;
    bool too_large_ = false;
};

} // namespace

Result<CommandOutput> run_child(const Child& child) {
    try {
        return std::make_unique<Run>(child.only_its_end)->operator()(child);
    } catch (const std::exception& exception) { // Asio's, where a resource is not to be had
        return fail(Errc::internal, "can't run " + child.argv.front() + ": " + exception.what());
    }
}

} // namespace muster
