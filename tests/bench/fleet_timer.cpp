#include "tests/bench/fleet_timer.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "agent/config/units.h"

namespace muster::fleet {
namespace {

/// "5min", "90s", "90"
Duration duration_of(const std::string& text) {
    std::size_t end = 0;
    const double number = std::stod(text, &end);
    const auto unit = text.substr(end);
    double each = 0;
    if (unit.empty() || unit == "s") each = 1;
    if (unit == "min") each = 60;
    if (unit == "h") each = 3600;
    if (each == 0) throw std::runtime_error("not understood: " + text);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(number * each));
}

/// What follows "muster deliver --for" in the unit.
Duration patience_in(const std::string& path) {
    std::ifstream file(path);
    constexpr std::string_view before = "ExecStart=/usr/sbin/muster deliver --for ";
    for (std::string line; std::getline(file, line);) {
        const auto patience = line.starts_with(before)
                                  ? parse_duration(std::string_view(line).substr(before.size()))
                                  : std::nullopt;
        if (patience) return *patience;
    }
    throw std::runtime_error(path + ": expected " + std::string(before) + "DURATION");
}

} // namespace

Timer Timer::read(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("can't be read: " + path);
    Timer timer;
    bool ours = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with('[')) ours = line == "[Timer]";
        if (!ours || line.empty() || line.starts_with('[') || line.starts_with('#')) continue;
        const auto equals = line.find('=');
        const auto key = line.substr(0, equals);
        const auto value = duration_of(line.substr(equals + 1));
        if (key == "OnBootSec") {
            timer.on_boot.push_back(value);
        } else if (key == "OnUnitInactiveSec") {
            timer.on_inactive = value;
        } else if (key == "RandomizedDelaySec") {
            timer.random_delay = value;
        } else if (key == "AccuracySec") {
            timer.accuracy = value;
        } else {
            throw std::runtime_error("the simulation does not know " + key);
        }
    }
    timer.patience = patience_in(std::filesystem::path(path).replace_extension("service"));
    return timer;
}

std::optional<Instant> Timer::next(Instant now, Instant booted, std::optional<Instant> ended,
                                   Duration phase, std::mt19937_64& random) const {
    std::optional<Instant> earliest;
    const auto take = [&](Instant at) { earliest = std::min(at, earliest.value_or(at)); };
    for (const auto after : on_boot) {
        if (booted + after >= now) take(booted + after); // one that is past has had its time
    }
    if (on_inactive && ended) take(*ended + *on_inactive);
    if (!earliest) return std::nullopt;
    std::uniform_int_distribution<Duration::rep> delay(0, random_delay.count());
    return placed(std::max(*earliest + Duration(delay(random)), now), accuracy, phase);
}

Instant placed(Instant from, Duration accuracy, Duration phase) {
    const Instant to = from + accuracy;
    constexpr Duration grids[] = {std::chrono::minutes(1), std::chrono::seconds(10),
                                  std::chrono::seconds(1), std::chrono::milliseconds(250)};
    for (const Duration grid : grids) {
        Instant at = to - to.time_since_epoch() % grid + phase % grid;
        if (at >= to) at -= grid;
        if (at >= from) return at;
    }
    return to;
}

} // namespace muster::fleet
