// What the tests of isolate, command and worker ask of /proc.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

#include "tests/pace.h"

namespace muster::testing {

struct Process {
    int pid = 0;
    int parent = 0;
    char state = '?';
    std::string name;
};

/// All processes there are.
inline std::vector<Process> processes() {
    std::vector<Process> result;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        std::ifstream file(entry.path() / "stat");
        std::string line;
        if (!std::getline(file, line)) {
            continue; // it is gone
        }
        const auto open = line.find('(');
        const auto close = line.rfind(')');
        Process process;
        process.pid = std::stoi(name);
        process.name = line.substr(open + 1, close - open - 1);
        process.state = line.at(close + 2);
        process.parent = std::stoi(line.substr(close + 4));
        result.push_back(process);
    }
    return result;
}

/// `pid`'s children, their children and so on.
inline std::vector<Process> descendants(int pid) {
    std::vector<Process> result;
    for (const auto& process : processes()) {
        if (process.parent == pid) {
            const auto below = descendants(process.pid);
            result.push_back(process);
            result.insert(result.end(), below.begin(), below.end());
        }
    }
    return result;
}

/// What the isolation of this process has started: all its descendants but the simulator, which
/// other tests of the same program keep running.
inline std::vector<Process> family() {
    auto all = descendants(::getpid());
    std::erase_if(all, [](const Process& process) { return process.name == "python3"; });
    return all;
}

inline bool alive(int pid) {
    for (const auto& process : processes()) {
        if (process.pid == pid) {
            return process.state != 'Z';
        }
    }
    return false;
}

inline std::size_t open_files(int pid = ::getpid()) {
    using Iterator = std::filesystem::directory_iterator;
    const auto folder = "/proc/" + std::to_string(pid) + "/fd";
    return static_cast<std::size_t>(std::distance(Iterator(folder), Iterator()));
}

} // namespace muster::testing
