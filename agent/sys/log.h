// The log: one line an event, key=value, on standard error; under systemd an entry of the journal,
// with the same line as its message and each key as a field MUSTER_KEY. Logging never decides
// anything and never carries a secret.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace muster::log {

enum class Level { debug, info, warning, error };

using Field = std::pair<std::string_view, std::string>;

void set_level(Level level);
void debug(std::string_view message, std::initializer_list<Field> fields = {});
void info(std::string_view message, std::initializer_list<Field> fields = {});
void warning(std::string_view message, std::initializer_list<Field> fields = {});
void error(std::string_view message, std::initializer_list<Field> fields = {});

} // namespace muster::log
