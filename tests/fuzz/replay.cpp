// The fuzz targets without libFuzzer, for the tests of each commit: every stored input, as it is,
// cut short, and with a byte changed; what the targets assert must hold for each. `./dev fuzz` and
// `./dev soak` look for new inputs.
//
//     replay TARGET FOLDER [SEED]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "replay_targets.h" // made by CMakeLists.txt: `targets`, each a name and its function

namespace {

constexpr unsigned variants = 500; // of each input, and of each kind
/// Bytes. A larger input is slow, and is replayed as it is.
constexpr std::size_t max_varied = 16 << 10;

using Function = int (*)(const std::uint8_t*, std::size_t);

std::vector<std::filesystem::path> inputs_in(const char* folder) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
}

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void give(Function target, std::string_view input) {
    target(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

/// All lengths and places of a small input are tried, of a larger one some.
void give_variants(Function target, const std::string& input, std::mt19937& random) {
    if (input.empty() || input.size() > max_varied) return;
    for (unsigned i = 0; i < variants; ++i) {
        const auto place = input.size() <= variants ? i : random();
        give(target, std::string_view(input).substr(0, place % input.size()));
        auto changed = input;
        changed[random() % changed.size()] = static_cast<char>(random());
        give(target, changed);
    }
}

} // namespace

int main(int argc, char** argv) {
    const auto target = std::ranges::find(targets, argc > 2 ? argv[1] : "", &Target::name);
    if (target == std::end(targets)) {
        std::fprintf(stderr, "usage: replay TARGET FOLDER [SEED]\n");
        return 2;
    }
    const auto seed = argc > 3 ? static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10))
                               : std::random_device()();
    std::mt19937 random(seed);
    const auto inputs = inputs_in(argv[2]);
    std::printf("%s: %zu inputs, seed %u\n", argv[1], inputs.size(), seed);
    std::fflush(stdout); // a property that does not hold aborts
    for (const auto& path : inputs) {
        const auto input = content_of(path);
        give(target->function, input);
        give_variants(target->function, input, random);
    }
    return inputs.empty() ? 1 : 0;
}
