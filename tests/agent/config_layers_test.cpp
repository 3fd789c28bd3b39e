// Several files: how they are merged, and where they are found.
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "agent/config/config.h"
#include "tests/agent/config_cases.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("layers are merged as RFC 7396 says") {
    const auto config = valid({
        R"({"deadline": "10m", "ephemeral": {"expect": {"by_type": {"a.b": 1, "c.d": 2}}},
            "ebs": {"x": {"device": "/dev/sdf"}, "y": {"device": "/dev/sdg"}}})",
        R"({"mode": "observe", "ephemeral": {"expect": {"by_type": {"a.b": null, "e.f": 3}}},
            "ebs": {"x": null, "y": {"deadline": "7s"}}})",
        volume(R"("options": ["nodev"], "mode": "0700")"),
    });
    CHECK(config.mode == Mode::observe);
    CHECK(config.deadline == 10min);
    CHECK(config.ephemeral.expect.by_type.size() == 2);
    CHECK(config.ephemeral.expect.of("e.f").count == 3);
    REQUIRE(config.ebs->size() == 1);
    CHECK(config.ebs->front().device == "/dev/sdg");
    CHECK(config.ebs->front().deadline == 7s);
    const auto& scratch = config.ephemeral.layout.volumes.at(0);
    CHECK(scratch.options == std::vector<std::string>{"nodev"});
    CHECK(scratch.mode == 0700);
    CHECK(scratch.mount == "/mnt/scratch");
}

TEST_CASE("null removes an entry and brings a default back") {
    CHECK(valid({R"({"ephemeral": {"volumes": {"scratch": null}}})"})
              .ephemeral.layout.volumes.empty());
    CHECK(valid({R"({"ephemeral": {"volumes": {"scratch": null}}})",
                 R"({"ephemeral": {"volumes": null}})"})
              .ephemeral.layout.volumes.size() == 1);
    CHECK(valid({R"({"deadline": "10m"})", R"({"deadline": null})"}).deadline == 300s);
    CHECK(valid({R"({"metadata": {"confirmations": 9}})", R"({"metadata": null})"})
              .metadata.confirmations == 3);
    CHECK_FALSE(valid({ebs(R"("device": "/dev/sdf")"), R"({"ebs": null})"}).ebs);
    const auto none = valid({ebs(R"("device": "/dev/sdf")"), R"({"ebs": {"data": null}})"}).ebs;
    REQUIRE(none);
    CHECK(none->empty());
    // Every key at once.
    auto everything = load({}).effective;
    for (auto& [key, value] : everything.items()) {
        value = nullptr;
    }
    CHECK(load({everything.dump()}).effective == load({}).effective);
}

TEST_CASE("a sink whose type changes says what is left over, or is clean") {
    const auto before = webhook(R"("token_file": "/t")");
    CHECK(mistakes({before, sink(R"("type": "file", "path": "/r")")}) ==
          std::vector<std::string>{
              "2: report.to.s.url: found a key of type \"webhook\", but the type of this sink is "
              "\"file\"; null takes it away",
              "2: report.to.s.token_file: found a key of type \"webhook\", but the type of this "
              "sink is \"file\"; null takes it away"});
    const auto config =
        valid({before, sink(R"("type": "file", "path": "/r", "url": null, "token_file": null)")});
    CHECK(config.report.to.at(0).type == SinkConfig::Type::file);
    CHECK(config.report.to.at(0).url.empty());
}

TEST_CASE("each mistake names the file that brought it") {
    CHECK(mistakes({R"({"mode": 1})", R"({"mode": "observe"})", R"({"deadline": 1, "ebs": 2})", "{",
                    R"({"xyzzy": 1})"}) ==
          std::vector<std::string>{
              R"(1: mode: found 1, expected "enforce" or "observe")",
              "3: deadline: found 1, expected " + kDuration,
              "3: ebs: found 2, expected an object of named entries: { \"NAME\": { ... } }",
              "4: line 1, column 2: found the end of the file, expected a key in double quotes",
              "5: xyzzy: unknown key, expected one of mode, deadline, metadata, ephemeral, ebs, "
              "root, checks, report, on_failure, hold, watch, metrics"});
    CHECK(mistakes({"{}", R"({"deadline": "50s"})", R"({"mode": "observe"})"}) ==
          std::vector<std::string>{"2: report.deadline: found \"60s\", expected less than "
                                   "`deadline`, which is \"50s\""});
    CHECK(mistakes({R"({"ephemeral": {"expect": {"by_type": {"a.b": 1}}}})",
                    R"({"ephemeral": {"expect": {"min": 2}}})"}) ==
          std::vector<std::string>{"2: ephemeral.expect: found "
                                   R"({"by_type":{"a.b":1},"min":2} once merged, expected )" +
                                   kExpect});
}

TEST_CASE("a layer may complete the one before") {
    valid({R"({"deadline": "50s"})", R"({"report": {"deadline": "20s"}})"});
    valid({sink(R"("type": "webhook", "token_file": "/t")"), sink(R"("url": "https://h")")});
    // ... but not by what is missing in a file that can't be read.
    CHECK(mistakes({sink(R"("type": "webhook")"), "{"}).size() == 1);
}

TEST_CASE("with a wrong layer the configuration is that of the layers before it") {
    const auto good = sink(R"("type": "file", "path": "/r")");
    const auto loaded = load({good, R"({"mode": 1})", R"({"deadline": "20m"})"});
    CHECK_FALSE(loaded.valid());
    CHECK(loaded.config.report.to.size() == 1);
    CHECK(loaded.config.deadline == 300s);
    CHECK(loaded.config.mode == Mode::enforce);
    CHECK(loaded.effective["report"]["to"].size() == 1);
    CHECK(load({good, R"({"deadline": "1s"})"}).config.report.to.size() == 1);
    CHECK(load({R"({"mode": 1})", good}).config.report.to.empty());
    // The first layer makes sense with the second only, and that is wrong there.
    CHECK(load({R"({"deadline": "50s"})", R"({"report": {"deadline": "20s", "to": 1}})"})
              .config.deadline == 300s);
    CHECK(load({good, R"({"xyzzy": 1, "mode": "observe"})"}).config.mode == Mode::observe);
}

TEST_CASE("of the first wrong layer the mode counts, and the sinks that it adds") {
    const std::string to = R"("report": {"to": {"x": {"type": "file", "path": "/r"}}})";
    const auto sinks = [](const LoadedConfig& loaded) {
        CHECK_FALSE(loaded.valid());
        std::string names;
        for (const auto& one : loaded.config.report.to)
            names += one.name + "=" + one.path + one.url + " ";
        return names;
    };
    const auto only =
        load({R"({"mode": "observe", "ebs": {"data": {"min_size": "100 GB"}}, )" + to + "}"});
    CHECK(sinks(only) == "x=/r ");
    CHECK(only.config.mode == Mode::observe);
    CHECK_FALSE(only.config.ebs);
    CHECK(only.effective["report"]["to"].size() == 1);
    SECTION("a rule that its other keys break") {
        for (const char* rest : {R"("deadline": "50s")", R"("deadline": "5 min")"}) {
            const auto loaded =
                load({R"({"mode": "observe", )" + std::string(rest) + ", " + to + "}"});
            CHECK(sinks(loaded) == "x=/r ");
            CHECK(loaded.config.mode == Mode::observe);
            CHECK(loaded.config.deadline == 300s);
        }
        CHECK(sinks(load({R"({"deadline": "5 min", "report": {"deadline": "400s", )"
                          R"("to": {"x": {"type": "file", "path": "/r"}}}})"})) == "x=/r ");
    }
    SECTION("a sink with a mistake is left out, another one is not") {
        CHECK(sinks(load({R"({"report": {"to": {"x": {"type": "file", "path": "/r"},
            "y": {"type": "file", "path": 1}, "z": {"type": "webhook"}}}})"})) == "x=/r ");
    }
    SECTION("what the layers before say stands") {
        const auto image = sink(R"("type": "webhook", "url": "https://image")");
        for (const char* later :
             {R"("report": null)", R"("report": {"to": null})", R"("report": {"to": {"s": null}})",
              R"("report": {"to": {"s": {"url": "https://elsewhere"}}})",
              R"("report": {"to": {"s": {"type": "file", "url": null, "path": "/r"}}})"}) {
            CAPTURE(later);
            CHECK(sinks(load({image, R"({"deadline": 1, )" + std::string(later) + "}"})) ==
                  "s=https://image ");
        }
        CHECK(sinks(load({image, R"({"deadline": 1, "report": {"to": {"y": {"type": "file", )"
                                 R"("path": "/r"}}}})"})) == "s=https://image y=/r ");
    }
    SECTION("a sink that is there twice is no word to go by") {
        CHECK(sinks(load({"{" + to + ", " + to + "}"})) == "");
        CHECK(load({R"({"mode": "observe", "mode": "enforce", )" + to + "}"}).config.mode ==
              Mode::enforce);
    }
    SECTION("nothing of a file that can't be read, and nothing of a later one") {
        CHECK(sinks(load({"{" + to + ", "})) == "");
        CHECK(sinks(load({R"({"mode": 1})", "{" + to + "}"})) == "");
    }
}

namespace {

/// A root folder that is gone at the end.
struct Root {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("muster-config-" + std::to_string(::getpid()));
    Files files{path};

    Root() { std::filesystem::create_directories(path); }
    ~Root() { std::filesystem::remove_all(path); }
    void write(const std::string& file, const std::string& text) const {
        std::filesystem::create_directories((path / file).parent_path());
        std::ofstream(path / file) << text;
    }
    [[nodiscard]] std::vector<std::string> found(const std::vector<std::string>& named = {}) const {
        std::vector<std::string> names;
        const auto layers = find_config_layers(files, named);
        REQUIRE(layers);
        for (const auto& layer : *layers) {
            names.push_back(layer.file + "=" + layer.text);
        }
        return names;
    }
};

} // namespace

TEST_CASE("the files of a machine, in their order") {
    const Root root;
    CHECK(root.found().empty());
    root.write("run/muster/conf.d/05.json", "d");
    root.write("etc/muster/conf.d/20.json", "c");
    root.write("etc/muster/conf.d/10.json", "b");
    root.write("etc/muster/conf.d/10.json~", "no");
    root.write("etc/muster/conf.d/.11.json", "no");
    root.write("etc/muster/conf.d/readme", "no");
    root.write("etc/muster/muster.json", "a");
    CHECK(root.found() ==
          std::vector<std::string>{"/etc/muster/muster.json=a", "/etc/muster/conf.d/10.json=b",
                                   "/etc/muster/conf.d/20.json=c", "/run/muster/conf.d/05.json=d"});
    root.write("my/own.json", "e");
    CHECK(root.found({"/my/own.json", "/etc/muster/muster.json"}) ==
          std::vector<std::string>{"/my/own.json=e", "/etc/muster/muster.json=a"});
}

TEST_CASE("a file that can't be read is an error that names it") {
    const Root root;
    const auto named = find_config_layers(root.files, {"/no/such.json"});
    REQUIRE_FALSE(named);
    CHECK(named.error().code == Errc::absent);
    CHECK(named.error().message.find("/no/such.json") != std::string::npos);

    root.write("etc/muster/muster.json", std::string((1 << 20) + 1, ' '));
    const auto large = find_config_layers(root.files, {});
    REQUIRE_FALSE(large);
    CHECK(large.error().code == Errc::too_large);
    CHECK(large.error().message.find("/etc/muster/muster.json") != std::string::npos);

    std::filesystem::remove(root.path / "etc/muster/muster.json");
    std::filesystem::create_directories(root.path / "etc/muster/conf.d/folder.json");
    const auto folder = find_config_layers(root.files, {});
    REQUIRE_FALSE(folder);
    CHECK(folder.error().message.find("/etc/muster/conf.d/folder.json") != std::string::npos);
}
