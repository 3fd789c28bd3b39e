// Pictures as SVG: the least that the timeline and the curves need. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

class Picture {
  public:
    /// `style`: CSS for the classes that are used.
    Picture(double width, double height, std::string_view title, std::string_view style);

    void rect(std::string_view of_class, double x, double y, double width, double height);
    void line(std::string_view of_class, double x1, double y1, double x2, double y2);
    void path(std::string_view of_class, const std::vector<std::pair<double, double>>& points);
    /// Any bytes at all; what XML can't hold is shown as "?".
    void text(std::string_view of_class, double x, double y, std::string_view text);

    /// The whole file.
    [[nodiscard]] std::string svg() const { return text_ + "</svg>\n"; }

  private:
    std::string text_;
};

} // namespace muster
