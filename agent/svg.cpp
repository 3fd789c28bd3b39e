#include "agent/svg.h"

#include <fmt/format.h>

namespace muster {
namespace {

/// A name from a report may hold anything: "<", or a byte that ends the document for a reader.
std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
        case '<': result += "&lt;"; break;
        case '>': result += "&gt;"; break;
        case '&': result += "&amp;"; break;
        case '"': result += "&quot;"; break;
        default: result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
        }
    }
    return result;
}

} // namespace

Picture::Picture(double width, double height, std::string_view title, std::string_view style)
    : text_(fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" )"
                        R"(width="{0:.0f}" height="{1:.0f}" font-family="sans-serif" )"
                        R"(font-size="13">)"
                        "\n<title>{2}</title>\n<style>{3}</style>\n"
                        R"(<rect width="{0:.0f}" height="{1:.0f}" fill="#ffffff"/>)"
                        "\n",
                        width, height, escaped(title), style)) {}

void Picture::rect(std::string_view of_class, double x, double y, double width, double height) {
    text_ +=
        fmt::format(R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)"
                    "\n",
                    of_class, x, y, width, height);
}

void Picture::line(std::string_view of_class, double x1, double y1, double x2, double y2) {
    path(of_class, {{x1, y1}, {x2, y2}});
}

void Picture::path(std::string_view of_class,
                   const std::vector<std::pair<double, double>>& points) {
    std::string way;
    for (const auto& [x, y] : points)
        way += fmt::format("{}{:.1f} {:.1f}", way.empty() ? 'M' : 'L', x, y);
    text_ += fmt::format(R"(<path class="{}" d="{}"/>)"
                         "\n",
                         of_class, way);
}

void Picture::text(std::string_view of_class, double x, double y, std::string_view text) {
    text_ += fmt::format(R"(<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>)"
                         "\n",
                         of_class, x, y, escaped(text));
}

} // namespace muster
