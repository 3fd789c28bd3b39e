#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <unistd.h>

#include "agent/config.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

/// Each text is a layer; the files are called "1", "2" ...
LoadedConfig load(const std::vector<std::string>& texts) {
    std::vector<ConfigLayer> layers;
    for (const auto& text : texts) {
        layers.push_back({std::to_string(layers.size() + 1), text});
    }
    return load_config(layers);
}

std::vector<std::string> mistakes(const std::vector<std::string>& texts) {
    std::vector<std::string> found;
    for (const auto& mistake : load(texts).mistakes) {
        found.push_back(mistake.text());
    }
    return found;
}

Config valid(const std::vector<std::string>& texts) {
    const auto loaded = load(texts);
    for (const auto& mistake : loaded.mistakes) {
        FAIL(mistake.text());
    }
    return loaded.config;
}

std::string volume(const std::string& keys) {
    return R"({"ephemeral": {"volumes": {"scratch": {)" + keys + "}}}}";
}

std::string volume_called(const std::string& name) {
    return R"({"ephemeral": {"volumes": {"scratch": null, ")" + name +
           R"(": {"size": "1GiB", "mount": "/mnt/b"}}}})";
}

std::string sink(const std::string& keys) {
    return R"({"report": {"to": {"s": {)" + keys + "}}}}";
}

std::string webhook(const std::string& keys) {
    return sink(R"("type": "webhook", "url": "https://h.example/r", )" + keys);
}

std::string ebs(const std::string& keys) {
    return R"({"ebs": {"data": {)" + keys + "}}}";
}

std::string check(const std::string& keys) {
    return R"({"checks": {"a": {)" + keys + "}}}";
}

const std::string kCommand = "expected a list of texts, an absolute path first, such as "
                             R"(["/usr/sbin/nginx", "-t"])";
const std::string kDuration = R"(a duration such as "100s", "5m" or "250ms", between 1s and 48h)";
const std::string kPath = R"(an absolute path without ".", "..", "//" or a "/" at its end)";
const std::string kFolder =
    "a folder that the system and muster itself can do without, such as /mnt/scratch";
const std::string kMoments = ", expected a list of up to 200 durations between 1ms and 48h, each "
                             "longer than the one before, such as [\"9s\", \"9500ms\", \"12s\"]";
const std::string kLvmName = " that LVM takes: letters, digits and + _ . - (not first), up to 127 "
                             "of them";
const std::string kExpect = R"("any", "none", a whole number up to 128, {"min": 2} or )"
                            R"({"by_type": {"i4i.large": 1}, "default": "any"})";
const std::string kValue =
    "a value: an object, a list, a text in double quotes, a number, true, false or null";

struct Wrong {
    std::string text;
    std::string message; ///< after the name of the file
};

void check_each(const std::vector<Wrong>& table) {
    for (const auto& [text, message] : table) {
        CAPTURE(text);
        CHECK(mistakes({text}) == std::vector<std::string>{"1: " + message});
        CHECK_FALSE(load({text}).valid());
    }
}

} // namespace

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

TEST_CASE("values that are not what was expected") {
    check_each({
        {R"({"mode": "obey"})", R"(mode: found "obey", expected "enforce" or "observe")"},
        {R"({"mode": true})", R"(mode: found true, expected "enforce" or "observe")"},
        {R"({"deadline": 300})", "deadline: found 300, expected " + kDuration},
        {R"({"deadline": "0s"})", "deadline: found \"0s\", expected " + kDuration},
        {R"({"deadline": "49h"})", "deadline: found \"49h\", expected " + kDuration},
        {R"({"metadata": "x"})", "metadata: found \"x\", expected an object: { ... }"},
        {R"({"metadata": {"confirmations": true}})",
         "metadata.confirmations: found true, expected a whole number between 1 and 100"},
        {R"({"metadata": {"confirmations": 3.0}})",
         "metadata.confirmations: found 3.0, expected a whole number between 1 and 100"},
        {R"({"metadata": {"confirmations": "3"}})",
         "metadata.confirmations: found \"3\", expected a whole number between 1 and 100"},
        {R"({"metadata": {"confirmations": 0}})",
         "metadata.confirmations: found 0, expected a whole number between 1 and 100"},
        {R"({"metadata": {"imdsv1": 1}})", "metadata.imdsv1: found 1, expected true or false"},
        {R"({"metadata": {"endpoint": "https://169.254.169.254"}})",
         "metadata.endpoint: found \"https://169.254.169.254\", expected http:// and a host alone, "
         "such as http://169.254.169.254"},
        {R"({"ephemeral": {"expect": "all"}})",
         "ephemeral.expect: found \"all\", expected " + kExpect},
        {R"({"ephemeral": {"volume_group": "-vg"}})",
         "ephemeral.volume_group: found \"-vg\", expected a volume group name" + kLvmName},
        {R"({"ephemeral": {"volume_group": "shm"}})",
         "ephemeral.volume_group: found \"shm\", expected a volume group name that is not there in "
         "/dev already"},
        {R"({"ephemeral": {"volumes": {"scratch": "100%"}}})",
         "ephemeral.volumes.scratch: found \"100%\", expected an object: { ... }"},
        {volume(R"("size": "0%")"),
         "ephemeral.volumes.scratch.size: found \"0%\", expected a whole share of the volume group "
         "such as \"100%\", from 1% to 100%, or a size such as \"100GiB\", between 4MiB and "
         "1024TiB"},
        {volume(R"("layout": "raid0")"), "ephemeral.volumes.scratch.layout: found \"raid0\", "
                                         "expected \"striped\" or \"linear\""},
        {volume(R"("stripe_size": "192KiB")"),
         "ephemeral.volumes.scratch.stripe_size: found \"192KiB\", expected a size that is a power "
         "of two such as \"256KiB\", between 4KiB and 1MiB"},
        {volume(R"("mount": "scratch")"),
         "ephemeral.volumes.scratch.mount: found \"scratch\", expected " + kPath},
        {volume(R"("mount": "/mnt/../etc")"),
         "ephemeral.volumes.scratch.mount: found \"/mnt/../etc\", expected " + kPath},
        {volume(R"("mount": "/")"),
         "ephemeral.volumes.scratch.mount: found \"/\", expected " + kPath},
        {volume(R"("mount": "/proc/x")"),
         "ephemeral.volumes.scratch.mount: found \"/proc/x\", expected " + kFolder},
        {volume(R"("mount": "/run")"), // would hide /run/muster
         "ephemeral.volumes.scratch.mount: found \"/run\", expected " + kFolder},
        {volume(R"("options": "noatime")"),
         "ephemeral.volumes.scratch.options: found \"noatime\", expected a list of mount options "
         "such as [\"noatime\"]"},
        {volume(R"("options": ["noatime,nodev"])"),
         "ephemeral.volumes.scratch.options: found [\"noatime,nodev\"], expected one mount option "
         "an entry, without commas or white space"},
        {volume(R"("options": ["ro"])"), "ephemeral.volumes.scratch.options: found [\"ro\"], "
                                         "expected no option \"ro\": muster controls that itself"},
        {volume(R"("options": ["nofail"])"),
         "ephemeral.volumes.scratch.options: found [\"nofail\"], expected no option \"nofail\": it "
         "means something in fstab only"},
        {volume(R"("mode": "1888")"), "ephemeral.volumes.scratch.mode: found \"1888\", expected "
                                      "permissions in octal digits such as \"1777\" or \"0755\""},
        {volume(R"("owner": "root")"),
         "ephemeral.volumes.scratch.owner: found \"root\", expected \"USER:GROUP\", names or "
         "numbers, such as \"root:root\" or \"1000:1000\""},
        {volume_called("a b"), "ephemeral.volumes.\"a b\": found the name \"a b\", expected a "
                               "volume name" +
                                   kLvmName},
        {ebs(R"("device": "sdf")"), "ebs.data.device: found \"sdf\", expected a name of the "
                                    "block-device mapping, such as \"/dev/sdf\" or \"/dev/xvdf\""},
        {ebs(R"("volume_id": "vol-123")"), "ebs.data.volume_id: found \"vol-123\", expected a "
                                           "volume id such as \"vol-0123456789abcdef0\""},
        {ebs(R"("device": "/dev/sdf", "polls": ["2s", "1s"])"),
         "ebs.data.polls: found [\"2s\",\"1s\"]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": [])"), "ebs.data.polls: found []" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": "1s")"), "ebs.data.polls: found \"1s\"" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": ["0s"])"),
         "ebs.data.polls: found [\"0s\"]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": ["1s", "49h"])"),
         "ebs.data.polls: found [\"1s\",\"49h\"]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": ["1s", 2])"),
         "ebs.data.polls: found [\"1s\",2]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "min_size": "100GB")"),
         "ebs.data.min_size: found \"100GB\", expected a size such as \"512MiB\" or \"100GiB\", "
         "between 1MiB and 64TiB"},
        {R"({"ebs": ["/dev/sdf"]})", "ebs: found [\"/dev/sdf\"], expected an object of named "
                                     "entries: { \"NAME\": { ... } }"},
        {R"({"root": {"min_free": "100%"}})", "root.min_free: found \"100%\", expected a share "
                                              "such as \"5%\", from 0% to 99%, or a size "
                                              "such as \"10GiB\""},
        {R"({"root": {"min_free_inodes": -1}})",
         "root.min_free_inodes: found -1, expected a share such as \"5%\", from 0% to 99%, or a "
         "whole number of inodes"},
        {check(R"("command": ["nginx", "-t"])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": [])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", 3])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", null])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", "a\u0000b"])"),
         "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", ")" + std::string(4097, 'x') + "\"]"),
         "checks.a.command: found an array, " + kCommand},
        {check(R"("command": "/bin/x --password")"),
         "checks.a.command: found a text of 17 bytes (not shown), " + kCommand},
        {check(R"("command": ["/bin/x"], "deadline": "0s")"),
         "checks.a.deadline: found \"0s\", expected " + kDuration},
        {check(R"("command": ["/bin/x"], "required": 1)"),
         "checks.a.required: found 1, expected true or false"},
        {check(R"("command": ["/bin/x"], "recreate": "no")"),
         "checks.a.recreate: found \"no\", expected true or false"},
        {R"({"checks": {"required.d/a": {"command": ["/bin/x"]}}})",
         "checks.\"required.d/a\": found the name \"required.d/a\", expected a name of up to 64 "
         "letters, digits, _ and -"},
        {sink(R"("type": "pager")"),
         "report.to.s.type: found \"pager\", expected \"webhook\", \"file\", \"autoscaling\", "
         "\"cloudformation\", \"ec2-tags\", \"sqs\" or \"eventbridge\""},
        {sink(R"("type": "webhook", "url": "ftp://h")"),
         "report.to.s.url: found \"ftp://h\", expected an address that begins with https:// or "
         "http://"},
        {sink(R"("type": "webhook", "url": "https://:443/x")"),
         "report.to.s.url: found \"https://:443/...\", expected an address with a host, such as "
         "https://scaler.example/v1/reports"},
        {webhook(R"("required": "yes")"),
         "report.to.s.required: found \"yes\", expected true or false"},
        {sink(R"("type": "file", "path": "r.json")"),
         "report.to.s.path: found \"r.json\", expected " + kPath},
        {sink(R"("type": "file", "path": "/dev/sdb")"),
         "report.to.s.path: found \"/dev/sdb\", expected the path of a plain file, not beneath "
         "/proc, /sys or /dev"},
        {R"({"mode": ")" + std::string(100, 'x') + "\"}",
         "mode: found \"" + std::string(56, 'x') + R"(..., expected "enforce" or "observe")"},
    });
}

TEST_CASE("rules between keys") {
    check_each({
        {R"({"deadline": "60s"})", "report.deadline: found \"60s\", expected less than `deadline`, "
                                   "which is \"60s\""},
        {volume(R"("filesystem": "none")"),
         "ephemeral.volumes.scratch.mount: found \"/mnt/scratch\", expected null, since "
         "`filesystem` is \"none\""},
        {volume(R"("mount": null)"),
         "ephemeral.volumes.scratch.mount: found nothing, expected a mount point such as "
         "\"/mnt/scratch\", since there is a filesystem"},
        {volume(R"("size": "299MiB")"), "ephemeral.volumes.scratch.size: found \"299MiB\", "
                                        "expected at least 300MiB, the least for xfs"},
        {R"({"ephemeral": {"volumes": {"more": {"size": "1%", "mount": "/mnt/more"}}}})",
         "ephemeral.volumes: found shares of 101% together, expected at most 100%"},
        {R"({"ephemeral": {"volumes": {"scratch": {"size": "50%"},
                                          "z": {"size": "50%", "mount": "/mnt/scratch"}}}})",
         "ephemeral.volumes.z.mount: found \"/mnt/scratch\", expected a mount point apart from "
         "\"/mnt/scratch\" of the volume \"scratch\""},
        {R"({"ephemeral": {"volumes": {"scratch": {"size": "50%"},
                                          "a": {"size": "1GiB", "mount": "/mnt/scratch/a"}}}})",
         "ephemeral.volumes.scratch.mount: found \"/mnt/scratch\", expected a mount point apart "
         "from \"/mnt/scratch/a\" of the volume \"a\""},
        {R"({"ephemeral": {"volumes": {"more": {"size": "1GiB", "mount": "/mnt/more"}}}})",
         "ephemeral.volumes: found shares of 100% together and volumes of a fixed size besides, "
         "expected shares that leave room for these"},
        {R"({"ephemeral": {"volume_group": ")" + std::string(120, 'g') + "\"}}",
         "ephemeral.volumes.scratch: found a name that makes more than 127 characters together "
         "with the volume group's (a hyphen counts twice), expected a shorter one"},
        {ebs(R"("min_size": "1GiB")"),
         "ebs.data: found neither `device` nor `volume_id`, expected one of them"},
        {R"({"ebs": {"a": {"device": "/dev/sdf"}, "b": {"device": "/dev/sdf"}}})",
         "ebs.b.device: found \"/dev/sdf\", expected one that is not that of \"a\""},
        {R"({"ebs": {"a": {"volume_id": "vol-01234567"}, "b": {"volume_id": "vol01234567"}}})",
         "ebs.b.volume_id: found \"vol-01234567\", expected one that is not that of \"a\""},
        {check(R"("deadline": "5s")"), "checks.a.command: found nothing, " + kCommand},
        {sink(R"("required": true)"),
         "report.to.s.type: found nothing, expected \"webhook\", \"file\", \"autoscaling\", "
         "\"cloudformation\", \"ec2-tags\", \"sqs\" or \"eventbridge\""},
        {sink(R"("type": "webhook")"), "report.to.s.url: found nothing, expected an https:// or "
                                       "http:// address, since `type` is \"webhook\""},
        {sink(R"("type": "file", "path": "/r", "url": "https://h")"),
         "report.to.s.url: found a key of type \"webhook\", but the type of this sink is \"file\"; "
         "null takes it away"},
        {webhook(R"("client_key": "/k")"), "report.to.s.client_certificate: found nothing, "
                                           "expected a path, since `client_key` is set"},
        {webhook(R"("client_certificate": "/c")"), "report.to.s.client_key: found nothing, "
                                                   "expected a path, since `client_certificate` is "
                                                   "set"},
        {sink(R"("type": "webhook", "url": "http://h", "ca_file": "/c")"),
         "report.to.s.ca_file: found a key of https, but `url` is http://"},
        {sink(R"("type": "webhook", "url": "http://h", "identity": true)"),
         "report.to.s.identity: found true, expected false, since `url` is http://: whoever reads "
         "it there can pass for the instance"},
        {R"({"report": {"to": {"a": {"type": "file", "path": "/r"},
                               "b": {"type": "file", "path": "/r"}}}})",
         "report.to.b.path: found \"/r\", expected another file than that of \"a\""},
    });
}

TEST_CASE("sinks of AWS") {
    const auto config =
        valid({R"({"metadata": {"endpoint": "http://127.0.0.1:8"}, "hold": {"tag": "keep"},
            "report": {"to": {
              "a": {"type": "autoscaling", "group": "the group", "hook": "h"},
              "b": {"type": "cloudformation", "stack": "s", "resource": "R", "region": "us-east-1"},
              "c": {"type": "ec2-tags"},
              "d": {"type": "sqs", "queue_url": "https://sqs.eu-west-1.amazonaws.com/1/q"},
              "e": {"type": "eventbridge", "endpoint": "https://vpce-1.example", "required": true}
            }}})"});
    using Type = SinkConfig::Type;
    const auto& to = config.report.to;
    REQUIRE(to.size() == 5);
    CHECK(to[0].type == Type::autoscaling);
    CHECK((to[0].group == "the group" && to[0].hook == "h" && to[0].region.empty()));
    CHECK(to[0].metadata.endpoint == "http://127.0.0.1:8");
    CHECK(to[0].hold.tag == "keep");
    CHECK(to[1].type == Type::cloudformation);
    CHECK((to[1].stack == "s" && to[1].resource == "R" && to[1].region == "us-east-1"));
    CHECK((to[2].type == Type::ec2_tags && to[2].prefix == "muster:"));
    CHECK((to[3].type == Type::sqs && !to[3].queue_url.empty()));
    CHECK((to[4].type == Type::eventbridge && to[4].bus == "default" && to[4].required));
    CHECK(to[4].endpoint == "https://vpce-1.example");
    for (const auto& [at, acts] :
         {std::pair(0, true), {1, true}, {2, true}, {3, false}, {4, false}})
        CHECK(to[static_cast<std::size_t>(at)].acting() == acts);
    check_each({
        {sink(R"("type": "sqs")"),
         "report.to.s.queue_url: found nothing, expected an https:// address, since `type` is "
         "\"sqs\""},
        {sink(R"("type": "sqs", "queue_url": "http://sqs.example/q")"),
         "report.to.s.queue_url: found \"http://sqs.example/...\", expected an https:// address"},
        {sink(R"("type": "ec2-tags", "prefix": "aws:x")"),
         "report.to.s.prefix: found \"aws:x\", expected a text of at most 64 characters without "
         "spaces or \"/\", not beginning with \"aws:\""},
        {sink(R"("type": "ec2-tags", "region": "EU")"),
         "report.to.s.region: found \"EU\", expected a region such as \"eu-west-1\""},
        {sink(R"("type": "ec2-tags", "group": "g")"),
         "report.to.s.group: found a key of type \"autoscaling\", but the type of this sink is "
         "\"ec2-tags\"; null takes it away"},
    });
}

TEST_CASE("on_failure, and the identity that a sink asks for") {
    auto config = valid({"{}"});
    CHECK(config.on_failure.action == OnFailureConfig::Action::none);
    CHECK(config.on_failure.delay == 60s);
    config = valid({R"({"on_failure": {"action": "poweroff", "delay": "5m"}})",
                    webhook(R"("identity": true)")});
    CHECK(config.on_failure.action == OnFailureConfig::Action::poweroff);
    CHECK(config.on_failure.delay == 5min);
    CHECK(config.report.to.at(0).identity);
    CHECK_FALSE(valid({webhook(R"("identity": false)")}).report.to.at(0).identity);
}

TEST_CASE("hold") {
    auto config = valid({"{}"});
    CHECK(config.hold.file == "/run/muster/hold");
    CHECK(config.hold.tag == "muster:hold");
    config = valid({R"({"hold": {"file": "/run/keep", "tag": "team:keep"}})"});
    CHECK(config.hold.file == "/run/keep");
    CHECK(config.hold.tag == "team:keep");
    const std::string tag = ", expected a tag's key of at most 128 characters without spaces or "
                            "\"/\"";
    check_each({
        {R"({"hold": {"file": "/etc/hold"}})",
         "hold.file: found \"/etc/hold\", expected a path beneath /run, such as "
         "/run/muster/hold"},
        {R"({"hold": {"file": "/run"}})",
         "hold.file: found \"/run\", expected a path beneath /run, such as /run/muster/hold"},
        {R"({"hold": {"file": "/run/../etc/hold"}})",
         "hold.file: found \"/run/../etc/hold\", expected an absolute path without \".\", \"..\", "
         "\"//\" or a \"/\" at its end"},
        {R"({"hold": {"tag": "a b"}})", "hold.tag: found \"a b\"" + tag},
        {R"({"hold": {"tag": "a/b"}})", "hold.tag: found \"a/b\"" + tag},
        {R"({"hold": {"tag": ""}})", "hold.tag: found \"\"" + tag},
    });
}

TEST_CASE("watch and metrics") {
    auto config = valid({"{}"});
    CHECK(config.watch.interval == 30s);
    CHECK(config.watch.bad == 3);
    CHECK(config.watch.of == 5);
    CHECK(config.watch.heartbeat == 5min);
    CHECK(config.metrics_textfile == std::nullopt);
    config = valid({R"({"watch": {"interval": "10s", "bad": 2, "of": 2, "heartbeat": "1m"},
                        "metrics": {"textfile": "/x.prom"}})"});
    CHECK(config.watch.interval == 10s);
    CHECK(config.watch.bad == 2);
    CHECK(config.watch.of == 2);
    CHECK(config.watch.heartbeat == 1min);
    CHECK(config.metrics_textfile == "/x.prom");
    check_each({
        {R"({"watch": {"bad": 6}})", "watch.bad: found 6, expected at most `watch.of`, which is 5"},
        {R"({"watch": {"of": 2}})", "watch.bad: found 3, expected at most `watch.of`, which is 2"},
    });
    valid({R"({"watch": {"bad": 6}})", R"({"watch": {"of": 6}})"});
}

TEST_CASE("names that LVM keeps for itself") {
    for (const std::string name : {"snapshot1", "pvmove0", "a_mlog", "a_mimage_0", "x_rmeta_1",
                                   "x_cvol", "x_tdata", "lvol0_pmspare", ".", "..", "-a"}) {
        CAPTURE(name);
        CHECK(mistakes({volume_called(name)}).size() == 1);
    }
    CHECK(mistakes({volume_called("a_mlog")}) ==
          std::vector<std::string>{"1: ephemeral.volumes.a_mlog: found the name \"a_mlog\", "
                                   "expected a volume name without \"_mlog\", which LVM keeps for "
                                   "itself"});
    const auto config = valid({volume_called("my.snapshot+1")});
    CHECK(config.ephemeral.layout.volumes.at(0).name == "my.snapshot+1");
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
    // The first layer makes sense with the second only, and that is wrong.
    CHECK(load({R"({"deadline": "50s"})", R"({"mode": 1, "report": {"deadline": "20s"}})"})
              .config.deadline == 300s);
    CHECK(load({good, R"({"xyzzy": 1, "mode": "observe"})"}).config.mode == Mode::observe);
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
