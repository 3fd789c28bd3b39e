#include "agent/options.h"
#include "tests/catch.h"

using namespace muster;

namespace {

Options parsed(const std::vector<std::string>& words) {
    const auto options = parse_command_line(words);
    INFO((options ? "" : options.error().message));
    REQUIRE(options);
    return *options;
}

} // namespace

TEST_CASE("options: commands and their flags, in any order where it is clear") {
    CHECK(parsed({"run"}).command == "run");
    CHECK_FALSE(parsed({"run"}).json);
    CHECK(parsed({"run"}).log_level == log::Level::info);
    CHECK(parsed({"run", "--json"}).json);
    const auto options = parsed({"--config", "a", "plan", "--config=b", "--config", "--json",
                                 "--json", "--log-level=debug"});
    CHECK(options.command == "plan");
    CHECK(options.configs == std::vector<std::string>{"a", "b", "--json"});
    CHECK(options.json);
    CHECK(options.log_level == log::Level::debug);
    CHECK(parsed({"--log-level", "warning", "status"}).log_level == log::Level::warning);
    CHECK(parsed({"--log-level", "error", "status"}).log_level == log::Level::error);
    CHECK(parsed({"probe", "root", "ebs", "checks"}).names ==
          std::vector<std::string>{"root", "ebs", "checks"});
    CHECK(parsed({"probe"}).names.empty());
    for (const char* command : {"run", "plan", "metadata", "probe", "status"})
        CHECK(parsed({command, "--json"}).json);
    CHECK(parsed({"deliver", "--test"}).test);
    CHECK_FALSE(parsed({"deliver"}).test);
    CHECK_FALSE(parsed({"deliver"}).patience);
    CHECK(parsed({"deliver", "--for", "10m"}).patience == std::chrono::minutes(10));
    CHECK(parsed({"deliver", "--for=90s"}).patience == std::chrono::seconds(90));
    for (const char* command : {"deliver", "config", "watch"})
        CHECK(parsed({command}).command == command);
}

TEST_CASE("options: what the service manager's units say") {
    CHECK(parsed({"run", "--if-died"}).if_died);
    CHECK_FALSE(parsed({"run"}).if_died);
    CHECK(parsed({"status", "--wait", "storage"}).wait == Milestone::storage);
    CHECK(parsed({"status", "--wait=ready"}).wait == Milestone::ready);
    CHECK_FALSE(parsed({"status"}).wait);
}

TEST_CASE("options: what tune is to read and to write") {
    const auto options =
        parsed({"tune", "a", "-", "--by-kind", "--look-cost", "250ms", "--recreation-cost=2m",
                "--svg", "x.svg", "--fragment=f.json", "--json"});
    CHECK(options.names == std::vector<std::string>{"a", "-"});
    CHECK(options.by_kind);
    CHECK(options.costs.look == 0.25);
    CHECK(options.costs.recreation == 120);
    CHECK(options.svg == "x.svg");
    CHECK(options.fragment == "f.json");
    CHECK(options.json);
    const auto plain = parsed({"tune", "root"});
    CHECK(plain.costs.look == 0.01);
    CHECK(plain.costs.recreation == 60);
    CHECK_FALSE(plain.by_kind);
    CHECK(parsed({"status", "--svg", "x"}).svg == "x");
}

TEST_CASE("options: help and version win over what else is said") {
    CHECK(parsed({"--help"}).command == "help");
    CHECK(parsed({"-h"}).command == "help");
    CHECK(parsed({"run", "--help"}).command == "help");
    CHECK(parsed({"help"}).command == "help");
    CHECK(parsed({"--version"}).command == "version");
    CHECK(parsed({"run", "--config", "--help"}).configs.front() == "--help"); // a flag's value
}

TEST_CASE("options: every mistake in one line that says what and where") {
    struct Row {
        std::vector<std::string> words;
        const char* says;
    };
    for (const auto& [words, says] : {
             Row{{}, "no command"},
             Row{{"rnu"}, "unknown command \"rnu\""},
             Row{{""}, "unknown command \"\""},
             Row{{"run", "run"}, "run takes no \"run\""},
             Row{{"run", "--frob"}, "--frob for run"},
             Row{{"plan", "--if-died"}, "--if-died for plan"},
             Row{{"run", "--wait", "ready"}, "--wait for run"},
             Row{{"status", "--wait"}, "--wait: expected a value"},
             Row{{"status", "--wait", "done"}, "expected storage or ready, found \"done\""},
             Row{{"--frob", "run"}, "--frob"},
             Row{{"--json", "run"}, "--json"},
             Row{{"run", "--json=yes"}, "--json=yes"},
             Row{{"run", "-j"}, "-j"},
             Row{{"run", "--"}, "--"},
             Row{{"config", "--json"}, "--json for config"},
             Row{{"deliver", "--json"}, "--json for deliver"},
             Row{{"run", "--config"}, "--config: expected a value"},
             Row{{"run", "--config="}, "--config: expected a value"},
             Row{{"run", "--config", ""}, "--config: expected a value"},
             Row{{"run", "--log-level"}, "--log-level: expected a value"},
             Row{{"run", "--log-level", "loud"}, "expected debug, info, warning or error"},
             Row{{"run", "--log-levels", "info"}, "--log-levels"},
             Row{{"probe", "disk"}, "expected root, ebs or checks, found \"disk\""},
             Row{{"watch", "--json"}, "--json for watch"},
             Row{{"tune"}, "expected files of reports"},
             Row{{"tune", "a", "--look-cost", "5"}, "--look-cost: expected a duration"},
             Row{{"tune", "a", "--recreation-cost=1000h"}, "up to 48h"},
             Row{{"tune", "a", "--by-kind=x"}, "--by-kind=x for tune"},
             Row{{"tune", "a", "--fragment"}, "--fragment: expected a value"},
             Row{{"run", "--svg", "x"}, "--svg for run"},
             Row{{"status", "--by-kind"}, "--by-kind for status"},
             Row{{"status", "--svg"}, "--svg: expected a value"},
             Row{{"run", "--test"}, "--test for run"},
             Row{{"run", "--for", "10m"}, "--for for run"},
             Row{{"deliver", "--for"}, "--for: expected a value"},
             Row{{"deliver", "--for", "soon"}, "--for: expected a duration"},
             Row{{"deliver", "--for=50h"}, "up to 48h"},
         }) {
        const auto options = parse_command_line(words);
        INFO(says);
        REQUIRE_FALSE(options);
        INFO(options.error().message);
        CHECK(options.error().code == Errc::malformed);
        CHECK(options.error().message.find(says) != std::string::npos);
        CHECK(options.error().message.find('\n') == std::string::npos);
    }
}

TEST_CASE("options: the help names every command that there is, and no other") {
    const auto text = usage();
    for (const char* command :
         {"run", "plan", "metadata", "probe", "status", "deliver", "config", "watch", "tune"})
        CHECK(text.find("\n  " + std::string(command) + " ") != std::string::npos);
    for (const char* flag : {"--config", "--log-level", "--json"})
        CHECK(text.find(flag) != std::string::npos);
}
