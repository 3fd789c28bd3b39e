#include <fstream>
#include <random>
#include <sstream>

#include "agent/config/config.h"
#include "tests/agent/config_cases.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("with no file at all everything is as the design says") {
    const auto config = valid({});
    CHECK(config.mode == Mode::enforce);
    CHECK(config.deadline == 300s);
    CHECK_FALSE(config.metadata.endpoint);
    CHECK(config.metadata.confirmations == 3);
    CHECK(config.metadata.absence_span == 5s);
    CHECK(config.metadata.deadline == 150s);
    CHECK(config.ephemeral.expect.of("i4i.large") == Expectation{});
    CHECK(config.ephemeral.deadline == 60s);
    CHECK(config.ephemeral.writes_allowed);
    CHECK(config.ephemeral.layout.volume_group == "muster");
    REQUIRE(config.ephemeral.layout.volumes.size() == 1);
    const auto& scratch = config.ephemeral.layout.volumes[0];
    CHECK(scratch.name == "scratch");
    CHECK(std::get<lvm::Percent>(scratch.size) == lvm::Percent{100});
    CHECK(scratch.layout == lvm::Layout::striped);
    CHECK(scratch.stripe_size == 256 << 10);
    CHECK(scratch.filesystem == lvm::Filesystem::xfs);
    CHECK(scratch.mount == "/mnt/scratch");
    CHECK(scratch.options == std::vector<std::string>{"noatime"});
    CHECK(scratch.mode == 01777);
    CHECK(scratch.owner == "root:root");
    CHECK_FALSE(config.ebs);
    CHECK(config.root.min_free.percent == 5);
    CHECK(config.root.io_deadline == 30s);
    CHECK(config.checks.empty());
    CHECK(config.report.deadline == 60s);
    CHECK(config.report.to.empty());
}

TEST_CASE("the effective configuration, given back, is accepted and says the same") {
    for (const std::string& text :
         {std::string("{}"), ebs(R"("device": "/dev/sdf")"), sink(R"("type":"file","path":"/r")"),
          webhook(R"("proxy": "")"), check(R"("command": ["/bin/true"])"),
          volume(R"("filesystem": "none", "mount": null)")}) {
        const auto first = load({text});
        REQUIRE(first.mistakes.empty());
        const auto second = load({first.effective.dump()});
        CHECK(second.mistakes.empty());
        CHECK(second.effective == first.effective);
    }
}

TEST_CASE("every key that is supported reaches its value") {
    const auto config = valid({R"({ // comments are fine
        "mode": "observe", "deadline": "10m", /* both kinds */
        "metadata": {"endpoint": "http://[fd00:ec2::254]:80/", "confirmations": 5,
                     "absence_span": "250ms", "deadline": "1h", "imdsv1": false},
        "ephemeral": {"expect": 4, "deadline": "2m", "volume_group": "vg-0", "on_partial": "fail",
            "volumes": {"scratch": null, "fast": {"size": "10GiB", "layout": "linear",
                "stripe_size": "64KiB", "filesystem": "ext4", "mount": "/srv/fast",
                "options": ["noatime", "discard"], "mode": "0750", "owner": "1000:disk"}}},
        "ebs": {"data": {"device": "/dev/xvdba", "volume_id": "vol0123456789abcdef0",
                         "min_size": "8GiB", "deadline": "5s", "polls": ["1s", "2500ms"],
                         "write_probe": false}},
        "root": {"min_free": "10GiB", "min_free_inodes": 1000, "io_deadline": "5s"},
        "checks": {"b": {"command": ["/usr/sbin/nginx", "-t", ""], "deadline": "2m",
                         "required": false, "recreate": true},
                   "a": {"command": ["/bin/true"]}},
        "report": {"deadline": "20s", "to": {
            "b": {"type": "webhook", "url": "https://h.example:8443/v1?x=1", "required": true,
                  "ca_file": "/c", "token_file": "/t", "client_certificate": "/p",
                  "client_key": "/k", "proxy": "http://p.example:3128", "identity": false},
            "a": {"type": "file", "path": "/var/log/r.json"}}}
    })"});
    CHECK(config.mode == Mode::observe);
    CHECK(config.deadline == 10min);
    CHECK(config.metadata.endpoint == "http://[fd00:ec2::254]:80");
    CHECK(config.metadata.confirmations == 5);
    CHECK(config.metadata.absence_span == 250ms);
    CHECK(config.metadata.deadline == 1h);
    CHECK(config.ephemeral.layout.volume_group == "vg-0");
    CHECK(config.ephemeral.deadline == 2min);
    REQUIRE(config.ephemeral.layout.volumes.size() == 1);
    const auto& fast = config.ephemeral.layout.volumes[0];
    CHECK(fast.name == "fast");
    CHECK(std::get<std::uint64_t>(fast.size) == 10ULL << 30);
    CHECK(fast.layout == lvm::Layout::linear);
    CHECK(fast.stripe_size == 64 << 10);
    CHECK(fast.filesystem == lvm::Filesystem::ext4);
    CHECK(fast.mount == "/srv/fast");
    CHECK(fast.options == std::vector<std::string>{"noatime", "discard"});
    CHECK(fast.mode == 0750);
    CHECK(fast.owner == "1000:disk");
    REQUIRE(config.ebs);
    REQUIRE(config.ebs->size() == 1);
    const auto& data = config.ebs->front();
    CHECK(data.name == "data");
    CHECK(data.device == "/dev/xvdba");
    CHECK(data.volume_id == "vol-0123456789abcdef0");
    CHECK(data.min_size == 8ULL << 30);
    CHECK(data.deadline == 5s);
    CHECK(data.polls == std::vector<Duration>{1s, 2500ms});
    CHECK(config.root.min_free.amount == 10ULL << 30);
    CHECK(config.root.min_free_inodes.amount == 1000U);
    CHECK(config.root.io_deadline == 5s);
    REQUIRE(config.checks.size() == 2);
    CHECK(config.checks[0].name == "a");
    CHECK(config.checks[0].command == std::vector<std::string>{"/bin/true"});
    CHECK(config.checks[0].deadline == 30s);
    CHECK(config.checks[0].required);
    CHECK_FALSE(config.checks[0].recreate);
    const auto& nginx = config.checks[1];
    CHECK(nginx.name == "b");
    CHECK(nginx.command == std::vector<std::string>{"/usr/sbin/nginx", "-t", ""});
    CHECK(nginx.deadline == 2min);
    CHECK_FALSE(nginx.required);
    CHECK(nginx.recreate);
    CHECK(config.report.deadline == 20s);
    REQUIRE(config.report.to.size() == 2);
    const auto& file = config.report.to[0];
    CHECK(file.name == "a");
    CHECK(file.type == SinkConfig::Type::file);
    CHECK(file.path == "/var/log/r.json");
    CHECK_FALSE(file.required);
    const auto& hook = config.report.to[1];
    CHECK(hook.type == SinkConfig::Type::webhook);
    CHECK(hook.url == "https://h.example:8443/v1?x=1");
    CHECK(hook.required);
    CHECK(hook.ca_file == "/c");
    CHECK(hook.token_file == "/t");
    CHECK(hook.client_certificate == "/p");
    CHECK(hook.client_key == "/k");
    CHECK(hook.proxy == "http://p.example:3128");
}

TEST_CASE("what must be there: all forms of the expectation") {
    using Kind = Expectation::Kind;
    const auto expect = [](const std::string& form, const std::string& type = "m5d.large") {
        return valid({R"({"ephemeral": {"expect": )" + form + "}}"}).ephemeral.expect.of(type);
    };
    CHECK(expect(R"("any")") == Expectation{Kind::any, 0});
    CHECK(expect(R"("none")") == Expectation{Kind::none, 0});
    CHECK(expect("4") == Expectation{Kind::exactly, 4});
    CHECK(expect("0") == Expectation{Kind::none, 0});
    CHECK(expect(R"({"min": 2})") == Expectation{Kind::at_least, 2});
    const std::string by_type =
        R"({"by_type": {"i4i.large": 1, "u-6tb1.metal": {"min": 3}}, "default": "none"})";
    CHECK(expect(by_type, "i4i.large") == Expectation{Kind::exactly, 1});
    CHECK(expect(by_type, "u-6tb1.metal") == Expectation{Kind::at_least, 3});
    CHECK(expect(by_type, "m5.large") == Expectation{Kind::none, 0});
    CHECK(expect(R"({"by_type": {"i4i.large": 1}})", "m5.large") == Expectation{Kind::any, 0});
    for (const std::string wrong :
         {"-1", "129", "3.0", "true", "\"some\"", "[]", "{}", R"({"min": 0})", R"({"min": true})",
          R"({"min": 1, "max": 2})", R"({"by_type": 3})", R"({"by_type": {"large": 1}})",
          R"({"by_type": {"i4i.large": {"by_type": {}}}})", R"({"default": "some"})"}) {
        CAPTURE(wrong);
        CHECK(mistakes({R"({"ephemeral": {"expect": )" + wrong + "}}"}).size() == 1);
    }
}

TEST_CASE("texts that are not JSON") {
    check_each({
        {"", "line 1, column 1: found the end of the file, expected an object: { ... }"},
        {"// only\n", "line 2, column 1: found the end of the file, expected an object: { ... }"},
        {"[1]", "line 1, column 1: found [], expected an object: { ... }"},
        {"null", "line 1, column 1: found null, expected an object: { ... }"},
        {"{", "line 1, column 2: found the end of the file, expected a key in double quotes"},
        {"{mode: 1}", "line 1, column 2: found mode, expected a key in double quotes"},
        {"{\n  \"mode\": \"observe\",\n}",
         "line 3, column 1: found }, expected a key in double quotes (no comma after the last "
         "entry)"},
        {"{\n  \"mode\": \"observe\"\n  \"deadline\": \"1m\"\n}",
         "line 3, column 3: found a text, expected a comma or }"},
        {"{\"\xc3\xa4\" 1}", "line 1, column 6: found 1, expected a colon after the key"},
        {R"({"mode": })", "line 1, column 10: found }, expected " + kValue},
        {R"({"mode": tru})", "line 1, column 10: found tru, expected " + kValue},
        {R"({"a": [1 23]})", "line 1, column 10: found 23, expected a comma or ]"},
        {R"({"a": true "b\"c"})", "line 1, column 12: found a text, expected a comma or }"},
        {R"({} {})", "line 1, column 4: found {, expected nothing more after the closing }"},
        {R"({"mode": "obs)",
         "line 1, column 14: found a text that is not valid: missing closing quote"},
        {"{\"mode\": \"a\nb\"}", "line 1, column 12: found a text that is not valid: control "
                                 "character U+000A (LF) must be escaped to \\u000A or \\n"},
        {R"({"mode": -})",
         "line 1, column 11: found a number that is not valid: expected digit after '-'"},
        {R"({"a": 1e999})",
         "line 1, column 7: found a number beyond all bounds, expected a smaller one"},
        {"{} /* x", "line 1, column 8: found a comment that is not valid: missing closing '*/'"},
        {"{\"mode\": \"\xff\"}",
         "line 1, column 11: found a byte that is not UTF-8, expected text in UTF-8"},
        {"{} // \xed\xa0\x80",
         "line 1, column 7: found a byte that is not UTF-8, expected text in UTF-8"},
        {std::string("{}\0{", 4), "line 1, column 3: found a zero byte, expected text"},
        {R"({"mode": "observe", "mode": "observe"})",
         "mode: found this key twice in one object, expected it once"},
        {R"({"report": {"to": {"a": {"type": "file", "path": "/a"}, "a": null}}})",
         "report.to.a: found this key twice in one object, expected it once"},
        {"{\"a\": " + std::string(100000, '['),
         "a: found more than 32 levels of nesting, expected less"},
    });
}

TEST_CASE("secrets stay out of the messages") {
    const auto text = [](const std::string& config) {
        std::string all;
        for (const auto& line : mistakes({config})) {
            all += line + "\n";
        }
        CAPTURE(config, all);
        CHECK_FALSE(all.empty());
        return all;
    };
    for (const std::string& config :
         {webhook(R"("token_file": "hunter2")"), webhook(R"("client_key": "hunter2")"),
          sink(R"("type": "webhook", "url": "https://user:hunter2@h.example/")"),
          sink(R"("type": "webhook", "url": "https://us\"er:hunter2@h.example/")"),
          sink(R"("type": "webhook", "url": "htps://h.example/T0/hunter2")"),
          sink(R"("type": "webhook", "url": ["https://h.example/hunter2"])"),
          webhook(R"("proxy": "http://user:hunter2@p.example")"), webhook(R"("token": "hunter2")"),
          std::string(R"({"report": "https://user:hunter2@h.example"})")}) {
        CHECK(text(config).find("hunter2") == std::string::npos);
    }
}

TEST_CASE("unknown keys are found, with what was likely meant, and are not invalid") {
    const auto loaded =
        load({R"({"deadlin": "1s", "xyzzy": 1, "metadata": {"cofnirmations": 2}})"});
    CHECK(loaded.valid());
    REQUIRE(loaded.mistakes.size() == 3);
    CHECK(loaded.mistakes[0].text() == "1: deadlin: unknown key, did you mean \"deadline\"?");
    CHECK(loaded.mistakes[1].text() ==
          "1: metadata.cofnirmations: unknown key, did you mean \"confirmations\"?");
    CHECK(loaded.mistakes[2].text() ==
          "1: xyzzy: unknown key, expected one of mode, deadline, metadata, ephemeral, ebs, root, "
          "checks, report, on_failure, hold, watch, metrics");
    for (const auto& mistake : loaded.mistakes) {
        CHECK(mistake.unknown_key);
    }
    CHECK(loaded.config.ephemeral.writes_allowed);
    CHECK_FALSE(loaded.effective.contains("xyzzy"));
    CHECK(loaded.config.deadline == 300s);
}

TEST_CASE("an unknown key of a check is no reason not to run it") {
    const auto loaded = load({check(R"("command": ["/bin/true"], "timeout": "5s")")});
    CHECK(loaded.valid());
    REQUIRE(loaded.mistakes.size() == 1);
    CHECK(loaded.mistakes[0].unknown_key);
    CHECK(loaded.mistakes[0].key == "checks.a.timeout");
    CHECK(loaded.config.checks.size() == 1);
    CHECK(load({check(R"("command": ["/bin/true"])"), R"({"checks": {"a": null}})"})
              .config.checks.empty());
}

TEST_CASE("an unknown key under ephemeral forbids writes") {
    for (const std::string text :
         {R"({"ephemeral": {"wipe": false}})", R"({"ephemeral": {"wipe": null}})",
          R"({"ephemeral": {"volumes": {"scratch": {"raid": 1}}}})", R"({"ephemreal": {}})"}) {
        CAPTURE(text);
        const auto loaded = load({"{}", text, "{}"});
        CHECK(loaded.valid());
        CHECK_FALSE(loaded.config.ephemeral.writes_allowed);
    }
}

TEST_CASE("too many entries") {
    nlohmann::json many;
    for (int i = 0; i < 129; ++i) {
        many["ebs"]["v" + std::to_string(i)]["volume_id"] = "vol-" + std::to_string(10000000 + i);
    }
    CHECK(mistakes({many.dump()}) ==
          std::vector<std::string>{"1: ebs: found 129 entries, expected at most 128"});
}

TEST_CASE("random damage never throws, and what is accepted makes sense") {
    const std::string sound = R"({"mode": "observe", "deadline": "10m", // c
        "metadata": {"confirmations": 5, "endpoint": null}, "ephemeral": {"expect": {"min": 2},
        "volumes": {"scratch": {"size": "50%", "options": ["noatime"], "mode": "0755"}}},
        "ebs": {"data": {"device": "/dev/sdf", "min_size": "8GiB"}}, "root": {"min_free": "1GiB"},
        "report": {"to": {"s": {"type": "webhook", "url": "https://h/x", "required": true}}}})";
    const std::vector<std::string> parts = {"null",    "{}", "[]",   "\"", "{",    "}",
                                            ",",       ":",  "1e9",  "-1", "true", "\"file\"",
                                            "\\u0000", "/*", "\xff", "0"};
    REQUIRE(load({sound}).mistakes.empty());
    std::mt19937 random(20261121);
    const auto below = [&](std::size_t n) { return random() % n; };
    int accepted = 0;
    for (int i = 0; i < 1000; ++i) {
        std::string text = sound;
        for (auto changes = 1 + below(3); changes > 0; --changes) {
            const auto& part = parts[below(parts.size())];
            text.replace(below(text.size()), below(12), below(2) == 0 ? part : "");
        }
        INFO("round " << i << ": " << text);
        const auto loaded = load({sound, text});
        REQUIRE(loaded.config.deadline > loaded.config.report.deadline);
        REQUIRE(loaded.config.metadata.confirmations >= 1);
        REQUIRE(load({loaded.effective.dump()}).valid());
        accepted += loaded.valid() ? 1 : 0;
    }
    CHECK(accepted > 0);
}

TEST_CASE("the reference in docs/ is what the table says") {
    std::ifstream file(MUSTER_SOURCE_DIR "/docs/configuration.md");
    std::stringstream text;
    text << file.rdbuf();
    CHECK(text.str() == config_reference());
}

TEST_CASE("docs/config.schema.json is what the table of keys says") {
    std::ifstream file(MUSTER_SOURCE_DIR "/docs/config.schema.json");
    std::stringstream text;
    text << file.rdbuf();
    CHECK(text.str() == config_schema());
}

TEST_CASE("the default configuration in the reference is accepted") {
    const auto reference = config_reference();
    const auto start = reference.find("```jsonc\n") + 9;
    const auto loaded = load({reference.substr(start, reference.rfind("```") - start)});
    CHECK(loaded.mistakes.empty());
    CHECK(loaded.effective == load({}).effective);
}
