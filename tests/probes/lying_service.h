// A metadata service that lies at random: how, when and for how long is drawn from a seed.
#pragma once

#include <fmt/format.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "probes/metadata.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http.h"

namespace muster::probes {

enum class Lie {
    none,
    empty,  ///< 200 without content
    error,  ///< 500, 503, a time-out, a refused connection
    absent, ///< 404
    stale,  ///< the truth of another instance, in all that it says
    wrong,  ///< one entry missing, too many, or elsewhere; one field of the document changed
};

/// How a service lies; each of `lies` is as likely as the others.
struct Habit {
    enum class By {
        reading, ///< each reading on its own: a list's entries lie as the list did
        answer,  ///< each HTTP answer on its own: harder, since a mapping takes several
        spell,   ///< all that is asked gets the same kind of lie, until the spell is over
    } by = By::reading;
    double p = 0;
    /// A spell's and a truth's mean length; exponential, so the end may come at any moment.
    Duration lie = {};
    Duration truth = {};
    std::vector<Lie> lies = {Lie::empty, Lie::error, Lie::absent, Lie::stale, Lie::wrong};
};

/// What an honest service says of an instance.
struct Facts {
    Identity identity;
    Mapping mapping;

    [[nodiscard]] std::string document() const {
        return fmt::format(R"({{"instanceId": "{}", "instanceType": "{}", "imageId": "{}",
            "accountId": "{}", "region": "{}", "availabilityZone": "{}"}})",
                           identity.instance_id, identity.instance_type, identity.image,
                           identity.account, identity.region, identity.zone);
    }
    [[nodiscard]] std::string listing() const {
        std::string text;
        for (const auto& [name, device] : mapping)
            text += name + "\n";
        return text;
    }
};

class LyingService {
  public:
    LyingService(Habit habit, std::uint64_t seed)
        // Another sequence than the readings' own, which are drawn from the seed as well: spacing
        // and lies must know nothing of each other.
        : habit_(std::move(habit)), random_(seed ^ 0x9e3779b97f4a7c15U) {
        if (habit_.by != Habit::By::spell) return;
        // As if it had gone on for ever: exponential lengths have no memory.
        begin_spell(chance(seconds(habit_.lie) / (seconds(habit_.lie) + seconds(habit_.truth))));
    }

    static const Facts& truth() {
        static const Facts facts{
            {"i-0abc", "i3.8xlarge", "ami-1", "123456789012", "eu-west-1", "eu-west-1a"},
            {{"ami", "xvda"}, {"ephemeral0", "sdb"}, {"ephemeral1", "sdc"}, {"root", "sda1"}}};
        return facts;
    }

    FakeClock clock;
    FakeHttp http{[this](const HttpRequest& request) { return answer(request); }, &clock, latency};
    MetadataService service{http, clock, {.endpoint = "http://imds"}};
    /// What each reading of the document met, and when: its text, "404", or "" for another answer
    /// that is none. Left out: what says nothing of the value itself (503, no connection).
    std::vector<std::pair<Instant, std::string>> documents;

  private:
    static constexpr Duration latency = std::chrono::milliseconds(2);
    using Answer = Result<HttpResponse>;

    static const Facts& another() {
        static const Facts facts{
            {"i-0def", "i3.large", "ami-2", "123456789012", "eu-west-1", "eu-west-1b"},
            {{"ami", "xvda"}, {"ephemeral0", "sdf"}, {"root", "sda1"}}};
        return facts;
    }

    static Facts changed(unsigned how) {
        Facts facts = truth();
        switch (how % 3) {
        case 0:
            facts.identity.instance_id = another().identity.instance_id;
            facts.mapping.erase("ephemeral1");
            break;
        case 1:
            facts.identity.instance_type = another().identity.instance_type;
            facts.mapping.emplace("ephemeral2", "sdd");
            break;
        default:
            facts.identity.zone = another().identity.zone;
            facts.mapping["ephemeral0"] = another().mapping.at("ephemeral0");
        }
        return facts;
    }

    Answer answer(const HttpRequest& request) {
        if (request.total_limit < latency) return fail(Errc::timed_out, "too late");
        decide(request.url);
        const auto given = said(request.url);
        if (request.url.ends_with("/document")) note(given);
        return given;
    }

    void decide(const std::string& url) {
        if (habit_.by == Habit::By::spell) {
            while (clock.now() >= spell_ends_)
                begin_spell(lie_ == Lie::none);
            return;
        }
        if (habit_.by == Habit::By::reading && !entry_of(url).empty()) return;
        draw(chance(habit_.p));
    }

    /// ".../block-device-mapping/ami" -> "ami"; "" for the list and everything else.
    static std::string entry_of(const std::string& url) {
        const std::string folder = "block-device-mapping/";
        const auto at = url.find(folder);
        return at == url.npos ? "" : url.substr(at + folder.size());
    }

    Answer said(const std::string& url) {
        switch (lie_) {
        case Lie::none: return content(truth(), url);
        case Lie::empty: return FakeHttp::answer(200);
        case Lie::absent: return FakeHttp::answer(404);
        case Lie::stale: return content(another(), url);
        case Lie::wrong: return content(changed(variant_), url);
        case Lie::error: break;
        }
        switch (variant_ % 4) {
        case 0: return FakeHttp::answer(500);
        case 1: return FakeHttp::answer(503);
        case 2: return fail(Errc::refused, "connection refused");
        default: return fail(Errc::timed_out, "no answer");
        }
    }

    static Answer content(const Facts& facts, const std::string& url) {
        // Any token is as good as another: what matters is what is read with it.
        if (url.ends_with("/token")) return FakeHttp::answer(200, "token");
        if (url.ends_with("/document")) return FakeHttp::answer(200, facts.document());
        const auto entry = entry_of(url);
        if (entry.empty()) return FakeHttp::answer(200, facts.listing());
        const auto device = facts.mapping.find(entry);
        if (device == facts.mapping.end()) return FakeHttp::answer(404);
        return FakeHttp::answer(200, device->second);
    }

    void note(const Answer& given) {
        if (!given || given->status == 503) return;
        documents.emplace_back(clock.now(), given->status == 404 ? "404" : given->body);
    }

    void begin_spell(bool lying) {
        const Duration mean = lying ? habit_.lie : habit_.truth;
        std::exponential_distribution<double> length(1 / seconds(mean));
        spell_ends_ = std::max(spell_ends_, clock.begin) +
                      Duration(static_cast<Duration::rep>(1e9 * length(random_)));
        draw(lying);
    }

    void draw(bool lying) {
        std::uniform_int_distribution<std::size_t> kind(0, habit_.lies.size() - 1);
        lie_ = lying ? habit_.lies[kind(random_)] : Lie::none;
        variant_ = static_cast<unsigned>(random_());
    }

    bool chance(double p) { return std::bernoulli_distribution(p)(random_); }

    Habit habit_;
    std::mt19937_64 random_;
    Lie lie_ = Lie::none;
    unsigned variant_ = 0; ///< which error, which change
    Instant spell_ends_{};
};

} // namespace muster::probes
