#include <cstdio>
#include <map>

#include "agent/commands.h"
#include "agent/options.h"
#include "agent/run.h"
#include "agent/sys/log.h"

int main(int argc, char** argv) {
    using namespace muster;
    const auto options = parse_command_line({argv + 1, argv + argc});
    if (!options) {
        std::fprintf(stderr, "muster: %s\n", options.error().message.c_str());
        return 2;
    }
    log::set_level(options->log_level);
    if (options->command == "help") return std::fputs(usage().c_str(), stdout) < 0 ? 1 : 0;
    if (options->command == "version") return std::puts("muster " MUSTER_VERSION) < 0 ? 1 : 0;

    const std::map<std::string, int (*)(const Options&)> commands = {
        {"run", run},           {"plan", show_plan},     {"metadata", show_metadata},
        {"probe", show_probes}, {"status", show_status}, {"deliver", deliver_spool},
        {"config", show_config}};
    return commands.at(options->command)(*options);
}
