#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <unistd.h>

#include "agent/commands.h"
#include "agent/options.h"
#include "agent/run.h"
#include "agent/sys/log.h"

namespace {

/// Started without its standard streams, a program gives their numbers to the next files that it
/// opens, and then prints into these.
void hold_standard_streams() {
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO) close(fd);
}

} // namespace

int main(int argc, char** argv) {
    using namespace muster;
    hold_standard_streams();
    // A journal or an endpoint that hangs up in the middle of a write must not keep the verdict
    // from going out. Helpers get the default back before they run a program.
    (void)std::signal(SIGPIPE, SIG_IGN);
    const auto options = parse_command_line({argv + 1, argv + argc});
    if (!options) {
        std::fprintf(stderr, "muster: %s\n", options.error().message.c_str());
        return 2;
    }
    log::set_level(options->log_level);
    if (options->command == "help") return std::fputs(usage().c_str(), stdout) < 0 ? 1 : 0;
    if (options->command == "version") return std::puts("muster " MUSTER_VERSION) < 0 ? 1 : 0;

    const std::map<std::string, int (*)(const Options&)> commands = {{"run", run},
                                                                     {"plan", show_plan},
                                                                     {"metadata", show_metadata},
                                                                     {"probe", show_probes},
                                                                     {"status", show_status},
                                                                     {"deliver", deliver_spool},
                                                                     {"config", show_config},
                                                                     {"watch", watch},
                                                                     {"tune", tune_waits}};
    return commands.at(options->command)(*options);
}
